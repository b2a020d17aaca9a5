import type { HeadKind } from '../schemas/common.js';
import type { JobEvent, JobPhase, JobProgress } from '../schemas/jobs.js';
import type { Curve } from '../schemas/report.js';
import type { ExtractProgress } from './extract/extract-features.js';

/** Where each phase ends on the progress bar; features take nearly all of the time. */
const PHASE_ENDS: Record<JobPhase, number> = { extracting: 0.85, training: 0.96, evaluating: 0.98, publishing: 1 };
/** Training the top takes longer than both passes. */
const PHASE_ENDS_OF_TOP: typeof PHASE_ENDS = { ...PHASE_ENDS, extracting: 0.3 };

/** How a run says where it stands. It remembers warnings and times for the report, and its progress never falls. */
export interface Progress {
  phase(phase: JobPhase, message: string): void;
  /** Of pass `pass` (from 0) of `passes` over the examples. */
  extracting(pass: number, passes: number): (progress: ExtractProgress) => void;
  /** Share of the training that is done. */
  training(share: number): void;
  epoch(head: HeadKind, curve: Curve): void;
  event(type: JobEvent['type'], message: string, data: JobEvent['data']): void;
  /** A sentence that is said once, in the events and in the report. */
  warn(message: string): void;
  readonly warnings: readonly string[];
  /** Seconds since the run began, or since a phase did, up to the next one. */
  seconds(phase?: JobPhase): number;
}

/** Who hears of a run. */
export interface Listeners {
  onProgress: (progress: JobProgress) => void;
  onEvent: (event: Pick<JobEvent, 'type' | 'message' | 'data'>) => void;
}

export function progressOf(options: Listeners & { trainsTop: boolean }): Progress {
  const { onProgress, onEvent, trainsTop } = options;
  const ends = Object.entries(trainsTop ? PHASE_ENDS_OF_TOP : PHASE_ENDS);
  const warnings: string[] = [];
  const began = performance.now();
  const phases: { phase: JobPhase; at: number }[] = [];
  let state: JobProgress = {
    phase: 'extracting',
    progress: 0,
    examples_done: 0,
    examples_total: 0,
    examples_cached: 0,
    examples_per_second: null,
    seconds_left: null,
    metrics: null,
  };
  const update = (change: Partial<JobProgress>) => {
    state = { ...state, ...change, progress: Math.max(state.progress, change.progress ?? 0) };
    onProgress(state);
  };
  const within = (phase: JobPhase, share: number) => {
    const place = ends.findIndex(([name]) => name === phase);
    const start = ends[place - 1]?.[1] ?? 0;
    return start + share * (ends[place]![1] - start);
  };
  return {
    warnings,
    phase(phase, message) {
      phases.push({ phase, at: performance.now() });
      onEvent({ type: 'phase', message, data: { phase } });
      update({ phase, progress: within(phase, 0), ...(phase !== 'extracting' && { seconds_left: null }) });
    },
    extracting: (pass, passes) => (progress) =>
      update({
        progress: within('extracting', (pass + progress.done / Math.max(1, progress.total)) / passes),
        examples_done: progress.done,
        examples_total: progress.total,
        examples_cached: progress.cached,
        examples_per_second: progress.perSecond,
        seconds_left: progress.secondsLeft,
      }),
    training: (share) => update({ progress: within('training', share) }),
    epoch(head, curve) {
      onEvent({ type: 'epoch', message: `Epoch ${curve.epoch} of the ${head} head`, data: { head, ...curve } });
      const { epoch, train_loss, validation_loss, validation_accuracy } = curve;
      update({ metrics: { head, epoch, train_loss, validation_loss, validation_accuracy } });
    },
    event: (type, message, data) => onEvent({ type, message, data }),
    warn(message) {
      if (warnings.includes(message)) return;
      warnings.push(message);
      onEvent({ type: 'warning', message, data: {} });
    },
    seconds(phase) {
      const place = phases.findIndex((other) => other.phase === phase);
      const [from, to] = phase === undefined ? [began, undefined] : [phases[place]?.at, phases[place + 1]?.at];
      return ((to ?? performance.now()) - (from ?? performance.now())) / 1000;
    },
  };
}
