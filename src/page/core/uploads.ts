/** The one upload of this tab: it goes on while one looks at other views. */
import { signal } from '@preact/signals';
import type { Dataset } from '../../client/index.js';
import type { Sending } from './drops.js';
import { forgetUpload, keepUpload } from './kept-upload.js';
import { go } from './router.js';
import { graft, noted } from './session.js';

export interface Upload {
  sending: Sending;
  state: 'sending' | 'understanding' | 'failed';
  sent: number;
  total: number;
  error?: Error;
  cancel(): void;
}

/** Undefined: nothing is being sent. */
export const upload = signal<Upload | undefined>(undefined);
/** Files of data sets that this tab has sent, by their names in them: for small pictures of what was refused. */
const sentFiles = new Map<string, Map<string, File>>();

export function sentFile(dataset: string, name: string): File | undefined {
  return sentFiles.get(dataset)?.get(name);
}

/** Send it, and go to the data set that it becomes. Another upload that is under way is broken off. */
export async function send(sending: Sending): Promise<void> {
  upload.value?.cancel();
  const cancelled = new AbortController();
  const total = sending.files.reduce((sum, { content }) => sum + content.size, 0);
  const started: Upload = { sending, state: 'sending', sent: 0, total, cancel: () => cancelled.abort() };
  const show = (change: Partial<Upload>) => {
    if (!cancelled.signal.aborted) upload.value = { ...started, ...upload.value, ...change };
  };
  upload.value = started;
  cancelled.signal.addEventListener('abort', () => {
    upload.value = undefined;
    void forgetUpload();
  });
  void keepUpload(sending);
  try {
    const source = sending.archive ? sending.files[0]!.content : sending.files;
    const dataset = await graft.value.datasets.create(source, {
      signal: cancelled.signal,
      name: sending.name || undefined,
      onProgress: (sent, of) => show({ sent, total: of, state: sent >= of ? 'understanding' : 'sending' }),
    });
    arrived(dataset, sending);
  } catch (error) {
    if (cancelled.signal.aborted) return;
    show({ state: 'failed', error: noted(error) });
    // What the service refuses it would refuse again after a reload.
    if ((error as { status?: number }).status) void forgetUpload();
  }
}

function arrived(dataset: Dataset, { archive, files }: Sending): void {
  if (!archive) sentFiles.set(dataset.id, new Map(files.map(({ name, content }) => [name, content])));
  upload.value = undefined;
  void forgetUpload();
  go('data', dataset.id);
}
