import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { Load, LoadResult, Request } from './load-process.js';

export type { LoadResult, Request } from './load-process.js';

/** A client that puts load on servers; one process, used for all of them in turn. */
export interface LoadClient {
  /** @throws Error when an answer was wrong */
  run(load: Load): Promise<LoadResult>;
  close(): void;
}

export function startLoadClient(): LoadClient {
  const child = fork(join(import.meta.dirname, 'load-process.js'), { serialization: 'advanced' });
  return {
    async run(load) {
      const result = await new Promise<LoadResult>((resolve, reject) => {
        const onExit = () => reject(new Error('The load client died.'));
        child.once('exit', onExit);
        child.once('message', (message: LoadResult | { error: string }) => {
          child.off('exit', onExit);
          if ('error' in message) reject(new Error(message.error));
          else resolve(message);
        });
        child.send(load);
      });
      if (result.wrong.length > 0) throw new Error(`Wrong answers:\n${result.wrong.join('\n')}`);
      return result;
    },
    close: () => child.kill(),
  };
}

/** The same requests with the answers that the server gives one by one: every later answer is checked against them. */
export async function withExpected(client: LoadClient, port: number, requests: Request[]): Promise<Request[]> {
  const { answers } = await client.run({ port, requests, concurrency: 1, seconds: 'once' });
  return requests.map((request, index) => ({ ...request, expected: answers[index]! }));
}
