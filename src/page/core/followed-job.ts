/** A job as it goes on: its state, looked at again and again, and its events as they come. */
import { useEffect, useState } from 'preact/hooks';
import type { Job, JobEvent } from '../../client/index.js';
import { graft, noted } from './session.js';

const LOOK_MS = 400;

export interface FollowedJob {
  job: Job | undefined;
  events: JobEvent[];
  error: Error | undefined;
}

export function useFollowedJob(id: string): FollowedJob {
  const [state, setState] = useState<FollowedJob & { id: string }>({
    id,
    job: undefined,
    events: [],
    error: undefined,
  });
  useEffect(() => {
    const left = new AbortController();
    const { signal } = left;
    setState({ id, job: undefined, events: [], error: undefined });
    const show = (change: Partial<FollowedJob>) => {
      if (!signal.aborted) setState((before) => ({ ...before, ...change }));
    };
    const look = async () => {
      for (;;) {
        try {
          const job = await graft.value.jobs.get(id, { signal });
          show({ job, error: undefined });
          if (job.finished_at !== null) return;
        } catch (error) {
          if (signal.aborted) return;
          const failure = noted(error) as Error & { status?: number };
          show({ error: failure });
          // A service that is gone may come back; a job that is not there does not.
          if (failure.status !== undefined && failure.status >= 400 && failure.status < 500) return;
        }
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
        if (signal.aborted) return;
      }
    };
    const follow = async () => {
      let after = 0;
      while (!signal.aborted) {
        try {
          for await (const event of graft.value.jobs.events(id, { after, signal })) {
            after = event.seq;
            setState((before) => (before.id === id ? { ...before, events: [...before.events, event] } : before));
          }
          return;
        } catch (error) {
          const { status = 0 } = noted(error) as Error & { status?: number };
          if (signal.aborted || status >= 400) return;
          await new Promise((resolve) => setTimeout(resolve, 2000));
        }
      }
    };
    void look();
    void follow();
    return () => left.abort();
  }, [id]);
  return state;
}
