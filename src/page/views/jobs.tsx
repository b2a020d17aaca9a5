/** Jobs: all of them, newest first. */
import { useState } from 'preact/hooks';
import type { Job } from '../../client/index.js';
import { percent, when } from '../core/format.js';
import { useAction, useLoaded } from '../core/loaded.js';
import { to } from '../core/router.js';
import { graft } from '../core/session.js';
import { Progress } from '../parts/bars.js';
import { ErrorNote } from '../parts/error-note.js';
import { words as w } from '../words/words.js';

const PAGE = 50;
const LOOK_MS = 1500;

export function JobList() {
  const { value, error, again } = useLoaded(
    (signal) => graft.value.jobs.list({ limit: PAGE, signal }).page(),
    [],
    ({ data }) => (data.some(({ finished_at }) => finished_at === null) ? LOOK_MS : undefined),
  );
  const [more, setMore] = useState<Job[]>([]);
  const [hasMore, setHasMore] = useState<boolean>();
  const next = useAction(async () => {
    const last = (more.at(-1) ?? value?.data.at(-1))!.id;
    const page = await graft.value.jobs.list({ limit: PAGE }).page(last);
    setMore([...more, ...page.data]);
    setHasMore(page.has_more);
  });
  const rows = [...(value?.data ?? []), ...more];
  return (
    <>
      <h1>{w.jobs}</h1>
      <ErrorNote error={error} again={again} />
      {value && rows.length === 0 && <p class="dim">{w.noJobs}</p>}
      <ul class="plain rows">
        {rows.map((job) => (
          <li key={job.id}>
            <a href={to('jobs', job.id)}>
              <span class="row spread">
                <b>{jobTitle(job)}</b>
                <StatusWord job={job} />
              </span>
              {job.status === 'running' && <Progress share={job.progress} label={jobTitle(job)} />}
              <span class="dim small">
                {when(job.created_at)}
                {job.status === 'queued' && job.queue_position !== null && ` · ${w.place(job.queue_position)}`}
                {job.accuracy !== null && ` · ${w.rightShare(percent(job.accuracy))}`}
                {job.error && ` · ${job.error.message.split('\n')[0]}`}
              </span>
            </a>
          </li>
        ))}
      </ul>
      <ErrorNote error={next.error} />
      {(hasMore ?? value?.has_more) && (
        <button type="button" onClick={() => void next.run()} disabled={next.busy}>
          {w.showMore}
        </button>
      )}
    </>
  );
}

export function jobTitle({ kind, model, version, backbone, output }: Job): string {
  if (kind === 'train') return version === null ? w.trainingOf(model ?? '') : w.versionOf(model ?? '', version);
  if (kind === 'pull') return w.pullOf(backbone ?? '');
  if (kind === 'recommend') return w.recommendation;
  return kind === 'intake' ? w.intakeOf(String(output?.name ?? '')) : kind;
}

export function StatusWord({ job: { status, cancel_requested } }: { job: Job }) {
  const ending = cancel_requested && status === 'running';
  return <span class={`status ${status}`}>{ending ? w.cancelling : w.statuses[status]}</span>;
}
