/** One job as it goes on, and what came of it. */
import { useMemo } from 'preact/hooks';
import type { Job, JobEvent } from '../../client/index.js';
import { useFollowedJob } from '../core/followed-job.js';
import { bytes, count, percent, seconds } from '../core/format.js';
import { useAction, useLoaded } from '../core/loaded.js';
import { to } from '../core/router.js';
import { graft } from '../core/session.js';
import { Accuracy } from '../parts/accuracy.js';
import { Progress } from '../parts/bars.js';
import { CurvesChart } from '../parts/curves.js';
import type { Curves } from '../parts/draw-curves.js';
import { ErrorNote } from '../parts/error-note.js';
import { Icon } from '../parts/icon.js';
import { Scroll } from '../parts/scroll.js';
import { words as w } from '../words/words.js';
import { jobTitle, StatusWord } from './jobs.js';
import { Advice, WorstClasses } from './report.js';

const PHASES: Record<string, string[]> = {
  train: ['extracting', 'training', 'evaluating', 'publishing'],
  intake: ['unpacking'],
  pull: ['downloading', 'importing'],
  recommend: ['trying'],
};

export function JobView({ id }: { id: string }) {
  const { job, events, error } = useFollowedJob(id);
  const cancel = useAction(() => graft.value.jobs.cancel(id));
  if (!job) return error ? <ErrorNote error={error} /> : <p class="dim">{w.loading}</p>;
  const warnings = events.filter(({ type }) => type === 'warning');
  const open = job.finished_at === null;
  return (
    <>
      <p>
        <a class="back" href={to('jobs')}>
          <Icon name="back" /> {w.jobs}
        </a>
      </p>
      <div class="row spread">
        <h1>{jobTitle(job)}</h1>
        <StatusWord job={job} />
      </div>
      {error && <p class="note">{w.lostTouch}</p>}
      {open && (
        <section class="card" aria-label={w.progress}>
          <Phases job={job} />
          <Progress share={job.status === 'queued' ? undefined : job.progress} label={w.progress} />
          <p class="row spread">
            <span role="status">{nowWords(job)}</span>
            <button
              type="button"
              class="small"
              onClick={() => void cancel.run()}
              disabled={cancel.busy || job.cancel_requested}
            >
              {job.cancel_requested ? w.cancelling : w.cancelJob}
            </button>
          </p>
          <ErrorNote error={cancel.error} />
        </section>
      )}
      {job.status === 'succeeded' && <Brought job={job} />}
      {job.status === 'failed' && job.error && (
        <div class="note bad" role="alert">
          <p class="lines">{job.error.message}</p>
          {job.dataset && (
            <p>
              <a href={to('data', job.dataset)}>{w.otherSettings}</a>
            </p>
          )}
        </div>
      )}
      {job.status === 'cancelled' && (
        <p class="note">
          {w.wasCancelled} {job.dataset && <a href={to('data', job.dataset)}>{w.toTheData}</a>}
        </p>
      )}
      {warnings.map(({ seq, message }) => (
        <p key={seq} class="note">
          {message}
        </p>
      ))}
      <LiveCurves events={events} />
      <details class="fold">
        <summary>{w.whatHappened}</summary>
        <ol class="plain small events">
          {events
            .filter(({ type }) => type !== 'epoch')
            .map(({ seq, at, message }) => (
              <li key={seq}>
                <time class="dim">{new Date(at).toLocaleTimeString(w.language)}</time> {message}
              </li>
            ))}
        </ol>
      </details>
    </>
  );
}

function Phases({ job }: { job: Job }) {
  const phases = PHASES[job.kind] ?? [];
  const at = job.phase === null ? -1 : phases.indexOf(job.phase);
  return (
    <ol class="phases">
      {phases.map((phase, place) => (
        <li
          key={phase}
          class={place < at ? 'done' : place === at ? 'now' : ''}
          aria-current={place === at ? 'step' : undefined}
        >
          {w.phases[phase as keyof typeof w.phases]}
        </li>
      ))}
    </ol>
  );
}

function nowWords({ status, queue_position, examples, seconds_left, metrics, phase }: Job): string {
  if (status === 'queued') return queue_position === null ? w.waiting : w.place(queue_position);
  const parts = [
    phase === 'extracting' && examples ? w.photosOf(count(examples.done), count(examples.total)) : undefined,
    phase === 'extracting' && examples?.per_second ? w.perSecond(count(Math.round(examples.per_second))) : undefined,
    phase === 'training' && metrics ? w.epoch(metrics.epoch) : undefined,
    seconds_left === null ? undefined : w.left(seconds(seconds_left)),
  ];
  return parts.filter((part) => part !== undefined).join(' · ') || w.working;
}

/** Of the fit with most epochs so far. */
function LiveCurves({ events }: { events: JobEvent[] }) {
  const curves = useMemo(() => curvesOf(events), [events]);
  if (!curves) return null;
  return (
    <section class="card">
      <h2>{w.curves}</h2>
      <CurvesChart curves={curves} label={w.curves} />
    </section>
  );
}

const LEAST_STEPS = 3;

function curvesOf(events: JobEvent[]): Curves | undefined {
  const fits: JobEvent[][] = [];
  for (const event of events) {
    if (event.type !== 'epoch') continue;
    const last = fits.at(-1)?.at(-1);
    if (!last || Number(last.data.epoch) >= Number(event.data.epoch) || last.data.head !== event.data.head)
      fits.push([]);
    fits.at(-1)!.push(event);
  }
  const fit = fits.at(-1);
  if (!fit || fit.length < LEAST_STEPS) return undefined;
  const values = (name: string) =>
    fit.map(({ data }) => (typeof data[name] === 'number' ? (data[name] as number) : null));
  return {
    stepTitle: w.epochTitle,
    steps: fit.map(({ data }) => Number(data.epoch)),
    lines: [
      { title: w.trainLoss, values: values('train_loss') },
      { title: w.validationLoss, values: values('validation_loss') },
    ],
  };
}

/** What a job that ended well has brought. */
function Brought({ job }: { job: Job }) {
  const { kind, model, version, output, backbone, dataset } = job;
  if (kind === 'pull') {
    return (
      <section class="card">
        <p>
          {w.pulled(String(output?.name ?? backbone), count(Number(output?.dimensions)), bytes(Number(output?.bytes)))}
        </p>
        <p>
          <a class="button primary" href={to('backbones')}>
            {w.backbones}
          </a>
        </p>
      </section>
    );
  }
  if (kind === 'recommend' && output) {
    return <Recommended dataset={dataset ?? ''} found={output as unknown as Recommendation} />;
  }
  if (model === null || version === null) {
    return (
      <p>
        <a class="button primary" href={to('data', dataset ?? '')}>
          {w.toTheData}
        </a>
      </p>
    );
  }
  return <Result job={job} model={model} version={version} />;
}

/** The output of a job of kind `recommend`. */
interface Recommendation {
  data: { backbone: string; accuracy: number; accuracy_interval: [number, number]; examples_per_second: number }[];
  examples: number;
  backbone: string;
  sentence: string;
}

/** How each backbone did on a few examples, and the way to train with the best. */
function Recommended({ dataset, found }: { dataset: string; found: Recommendation }) {
  const { data, examples, backbone, sentence } = found;
  return (
    <section class="card">
      <p>{sentence}</p>
      <p class="dim small">{w.triedOn(count(examples))}</p>
      <Scroll label={w.recommendation}>
        <table>
          <thead>
            <tr>
              <th scope="col">{w.backbone}</th>
              <th scope="col">{w.rightColumn}</th>
              <th scope="col">{w.intervalColumn}</th>
              <th scope="col">{w.perSecondColumn}</th>
            </tr>
          </thead>
          <tbody>
            {data.map(({ backbone: id, accuracy, accuracy_interval: [low, high], examples_per_second: speed }) => (
              <tr key={id}>
                <th scope="row">{id}</th>
                <td>{percent(accuracy)}</td>
                <td>{w.fromTo(Math.floor(low * 100), Math.ceil(high * 100))}</td>
                <td>{count(Math.round(speed))}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      <p>
        <a class="button primary" href={to('data', dataset, backbone)}>
          {w.trainWith(backbone)}
        </a>
      </p>
    </section>
  );
}

function Result({ job, model, version }: { job: Job; model: string; version: number }) {
  const { value: report, error } = useLoaded(
    (signal) => graft.value.models.report(model, { version, signal }),
    [model, version],
  );
  const took = (Date.parse(job.finished_at!) - Date.parse(job.started_at!)) / 1000;
  return (
    <section class="card result">
      <h2>{w.ready(model, version)}</h2>
      <Accuracy figures={job} />
      <p class="dim">
        {report?.evaluation && w.measuredOn[report.evaluation.on](count(report.evaluation.examples))}{' '}
        {w.tookSeconds(seconds(took))}
      </p>
      {report?.compared && (
        <p>{w.verdicts[report.compared.verdict](report.compared.version, count(report.compared.examples))}</p>
      )}
      <p class="row">
        <a class="button primary" href={to('models', model, 'try')}>
          {w.tryIt}
        </a>
        <a class="button" href={to('models', model, 'report', version)}>
          {w.report}
        </a>
        <a class="button" href={to('models', model, 'use')}>
          {w.use}
        </a>
      </p>
      <ErrorNote error={error} />
      {report && <WorstClasses report={report} />}
      {report && <Advice report={report} />}
    </section>
  );
}
