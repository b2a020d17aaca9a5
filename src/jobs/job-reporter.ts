import type { JobProgress } from '../schemas/jobs.js';
import type { LiveJobs, NewEvent, ToldEvents } from './live-jobs.js';

/** Progress is written at most this often, */
const PROGRESS_MS = 200;
/** and what was told is looked after this often: Redis may have been wiped. */
const RESTORE_MS = 1000;
/** Longest wait for Redis at the end of a job. */
const LAST_WORDS_MS = 1000;

type Told = JobProgress & { attempt: number };

/**
 * What a worker tells about a job while it runs it: the newest progress, never falling back behind an earlier attempt's,
 * and the events. It keeps both, and tells them again when Redis has lost them.
 */
export class JobReporter {
  readonly #live: LiveJobs;
  readonly #id: string;
  readonly #attempt: number;
  readonly #restoring: NodeJS.Timeout;
  readonly #started: Promise<void>;
  /** Events as they lie in Redis, those of others from the last look. */
  #events: ToldEvents = { base: 0, lines: [] };
  #progress: Told | undefined;
  #isNew = false;
  #writing: Promise<void> | undefined;
  #ending: Promise<void> | undefined;
  #isOver = false;
  #last: Promise<void>;
  #steps = 0;

  constructor(options: { live: LiveJobs; id: string; attempt: number }) {
    this.#live = options.live;
    this.#id = options.id;
    this.#attempt = options.attempt;
    this.#started = this.#readEarlier().catch(() => undefined);
    this.#last = this.#started;
    this.#restoring = setInterval(() => {
      if (this.#steps === 0) void this.#restore().catch(() => undefined);
    }, RESTORE_MS);
  }

  /** The most that was ever told, from 0 to 1. */
  get progress(): number {
    return this.#progress?.progress ?? 0;
  }

  setProgress(progress: JobProgress): void {
    this.#progress = {
      ...progress,
      progress: Math.max(this.progress, progress.progress),
      attempt: this.#attempt,
    };
    this.#isNew = true;
    this.#writing ??= this.#write();
  }

  addEvent(event: NewEvent): Promise<void> {
    return this.#inTurn(async () => {
      // What was lost must be back before something new takes its numbers.
      this.#events = await this.#live.restore(this.#id, this.#events);
      const { line, base, length } = await this.#live.addEvent(this.#id, event);
      const lines = [...this.#events.lines, line];
      // Where Redis lost the list between the two, its numbers begin anew, and what was told before lies below them.
      this.#events = { base: Math.max(0, base - Math.max(0, lines.length - length)), lines };
    });
  }

  /** Everything has been told, as far as Redis answers. Nothing is told after that: what is in Redis may expire. */
  end(): Promise<void> {
    this.#ending ??= this.#lastWords();
    return this.#ending;
  }

  async #lastWords(): Promise<void> {
    clearInterval(this.#restoring);
    const telling = Promise.allSettled([this.#writing, this.#restore()]);
    await Promise.race([telling, new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS))]);
    this.#isOver = true;
  }

  /** One after the other: each finds what the one before has left. While Redis is away they wait. */
  #inTurn(step: () => Promise<void>): Promise<void> {
    this.#steps += 1;
    const done = this.#last.then(async () => {
      if (!this.#isOver) await step();
    });
    this.#last = done
      .catch(() => undefined)
      .then(() => {
        this.#steps -= 1;
      });
    return done;
  }

  async #readEarlier(): Promise<void> {
    const [earlier, events] = await Promise.all([this.#live.progress(this.#id), this.#live.told(this.#id)]);
    this.#events = events;
    if (!earlier) return;
    // Where nothing is known of this attempt yet, what is known of the last one stands.
    if (!this.#progress) this.#progress = earlier;
    else this.#progress.progress = Math.max(this.#progress.progress, earlier.progress);
  }

  async #write(): Promise<void> {
    await this.#started;
    while (this.#isNew && !this.#isOver) {
      this.#isNew = false;
      await this.#live.setProgress(this.#id, this.#progress!).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, PROGRESS_MS));
    }
    this.#writing = undefined;
  }

  #restore(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#progress) await this.#live.setProgress(this.#id, this.#progress);
      this.#events = await this.#live.restore(this.#id, this.#events);
    });
  }
}
