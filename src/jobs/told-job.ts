import type { JobProgress } from '../schemas.js';
import type { LiveState, NewEvent } from './live-state.js';

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
export class ToldJob {
  readonly #live: LiveState;
  readonly #id: string;
  readonly #attempt: number;
  readonly #restoring: NodeJS.Timeout;
  readonly #started: Promise<void>;
  /** Events as they lie in Redis, those of others from the last look. */
  #events: string[] = [];
  #progress: Told | undefined;
  #isNew = false;
  #writing: Promise<void> | undefined;
  #ended: Promise<void> | undefined;

  constructor(options: { live: LiveState; id: string; attempt: number }) {
    this.#live = options.live;
    this.#id = options.id;
    this.#attempt = options.attempt;
    this.#started = this.#readEarlier().catch(() => undefined);
    this.#restoring = setInterval(() => void this.#restore().catch(() => undefined), RESTORE_MS);
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

  async addEvent(event: NewEvent): Promise<void> {
    await this.#started;
    this.#events.push(await this.#live.addEvent(this.#id, event));
  }

  /** Everything has been told, as far as Redis answers. Nothing is told after that: what is in Redis may expire. */
  end(): Promise<void> {
    this.#ended ??= this.#lastWords();
    return this.#ended;
  }

  async #lastWords(): Promise<void> {
    clearInterval(this.#restoring);
    const telling = (async () => {
      await this.#writing;
      await this.#restore();
    })().catch(() => undefined);
    await Promise.race([telling, new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS))]);
  }

  async #readEarlier(): Promise<void> {
    const [earlier, events] = await Promise.all([this.#live.progress(this.#id), this.#live.lines(this.#id)]);
    this.#events = events;
    if (!earlier) return;
    // Where nothing is known of this attempt yet, what is known of the last one stands.
    if (!this.#progress) this.#progress = earlier;
    else this.#progress.progress = Math.max(this.#progress.progress, earlier.progress);
  }

  async #write(): Promise<void> {
    await this.#started;
    while (this.#isNew) {
      this.#isNew = false;
      await this.#live.setProgress(this.#id, this.#progress!).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, PROGRESS_MS));
    }
    this.#writing = undefined;
  }

  async #restore(): Promise<void> {
    await this.#started;
    if (this.#progress) await this.#live.setProgress(this.#id, this.#progress);
    this.#events = await this.#live.restoreLines(this.#id, this.#events);
  }
}
