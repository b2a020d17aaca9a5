import { setTimeout as sleep } from 'node:timers/promises';
import type { Graft, Job, JobEvent } from '../client/index.js';
import { formatPercent, formatSeconds, plural } from '../terminal/format.js';
import type { Screen } from '../terminal/screen.js';
import type { DemoWords } from './words.js';

const POLL_MS = 150;

export interface FollowJobOptions {
  graft: Graft;
  screen: Screen;
  job: string;
  words: DemoWords;
  signal: AbortSignal;
}

/**
 * Show a job until it ends: a bar for the whole, and a line for each phase that is over.
 * @throws GraftError with the code of the job when it failed or was cancelled.
 */
export async function followJob({ graft, screen, job: id, words, signal }: FollowJobOptions): Promise<Job> {
  let phase: { name: string; since: number } | undefined;
  let job = await graft.jobs.get(id, { signal });
  const onEvent = (event: JobEvent) => {
    const at = Date.parse(event.at);
    if (['phase', 'restarted', 'succeeded'].includes(event.type)) {
      if (phase && event.type !== 'restarted')
        screen.line(phaseLine(phase.name, job, { seconds: (at - phase.since) / 1000, words }));
      phase = event.type === 'phase' ? { name: String(event.data.phase), since: at } : undefined;
    }
    if (event.type === 'warning' || event.type === 'restarted') screen.line(`  ${screen.paint.yellow(event.message)}`);
  };
  let ended = false;
  // What happens at this moment stands in the job, and not in its events.
  const looking = (async () => {
    while (!ended) {
      job = await graft.jobs.get(id, { signal });
      if (!ended) screen.progress(job.progress, now(job));
      await sleep(POLL_MS, undefined, { signal });
    }
  })();
  looking.catch(() => undefined); // a service that is gone is told by the events
  try {
    return await graft.jobs.wait(id, { onEvent, signal });
  } finally {
    ended = true;
  }
}

/** What happens at this moment, beside the bar. */
function now({ status, phase, queue_position, examples: images, seconds_left, metrics }: Job): string {
  if (status === 'queued') return queue_position ? `waiting, place ${queue_position} in the queue` : 'waiting';
  const left = seconds_left === null ? '' : `, ${formatSeconds(seconds_left)} left`;
  if (phase === 'extracting' && images) {
    const rate = images.per_second === null ? '' : ` ${Math.round(images.per_second)}/s`;
    return `features ${images.done}/${images.total}${rate}${left}`;
  }
  if (phase === 'training' && metrics) {
    const accuracy = metrics.validation_accuracy;
    return `head, epoch ${metrics.epoch}${accuracy === null ? '' : `, ${formatPercent(accuracy)} right`}`;
  }
  return phase ?? 'starting';
}

function phaseLine(name: string, job: Job, { seconds, words }: { seconds: number; words: DemoWords }): string {
  const [title, detail] = describe(name, job, words);
  return `  ${title.padEnd(9)} ${formatSeconds(seconds).padStart(6)}   ${detail}`;
}

function describe(
  name: string,
  { examples: images, metrics }: Job,
  { one, many }: DemoWords,
): [title: string, detail: string] {
  switch (name) {
    case 'extracting': {
      if (!images) return ['features', ''];
      const rate = images.per_second === null ? '' : `, ${Math.round(images.per_second)} a second`;
      const cached = images.cached > 0 ? `, ${images.cached} of them known already` : '';
      return ['features', `${plural(images.total, one, many)} through the backbone${rate}${cached}`];
    }
    case 'training':
      return ['head', metrics ? `${metrics.head}, ${plural(metrics.epoch, 'epoch')} in the last fit` : ''];
    case 'evaluating':
      return ['report', `on ${many} held out`];
    default:
      return ['publish', 'a numbered version that never changes'];
  }
}
