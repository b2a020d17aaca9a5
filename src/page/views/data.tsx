/** Data sets: all of them, and one of them with what was understood and what was not taken. */
import { useState } from 'preact/hooks';
import type { Dataset, DatasetSummary } from '../../client/index.js';
import { bytes, count, when } from '../core/format.js';
import { useAction, useLoaded } from '../core/loaded.js';
import { go, to } from '../core/router.js';
import { graft } from '../core/session.js';
import { sentFile } from '../core/uploads.js';
import { Confirm } from '../parts/confirm.js';
import { ErrorNote } from '../parts/error-note.js';
import { Icon } from '../parts/icon.js';
import { Photo } from '../parts/photo.js';
import { words as w } from '../words/words.js';
import { Strip } from './start.js';
import { TrainForm } from './train-form.js';

const PAGE = 50;
/** So many classes, and refused files, are listed at once. */
const MANY = 60;

export function DataList() {
  const { value, error, again } = useLoaded(
    async (signal) => graft.value.datasets.list({ limit: PAGE, signal }).page(),
    [],
  );
  const [more, setMore] = useState<DatasetSummary[]>([]);
  const [hasMore, setHasMore] = useState<boolean>();
  const next = useAction(async () => {
    const last = (more.at(-1) ?? value?.data.at(-1))!.id;
    const page = await graft.value.datasets.list({ limit: PAGE }).page(last);
    setMore([...more, ...page.data]);
    setHasMore(page.has_more);
  });
  const rows = [...(value?.data ?? []), ...more];
  return (
    <>
      <div class="row spread">
        <h1>{w.data}</h1>
        <a class="button primary" href={to()}>
          <Icon name="plus" /> {w.addData}
        </a>
      </div>
      <ErrorNote error={error} again={again} />
      {value && rows.length === 0 && <p class="dim">{w.noData}</p>}
      <ul class="plain rows">
        {rows.map(({ id, name, examples, class_count, created_at, stored_bytes }) => (
          <li key={id}>
            <a class="row spread" href={to('data', id)}>
              <b>{name ?? id}</b>
              <span class="dim">
                {w.photosInClasses(count(examples), count(class_count))} · {bytes(stored_bytes)} · {when(created_at)}
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

/** @param backbone chosen for the training before one has come here */
export function DataSet({ id, backbone }: { id: string; backbone?: string | undefined }) {
  const { value: dataset, error, again } = useLoaded((signal) => graft.value.datasets.get(id, { signal }), [id]);
  const [asking, setAsking] = useState(false);
  if (!dataset) return error ? <ErrorNote error={error} again={again} /> : <p class="dim">{w.loading}</p>;
  const { name, examples, class_count, created_at, warnings } = dataset;
  return (
    <>
      <p>
        <a class="back" href={to('data')}>
          <Icon name="back" /> {w.data}
        </a>
      </p>
      <div class="row spread">
        <div>
          <h1>{name ?? id}</h1>
          <p class="dim">
            {w.photosInClasses(count(examples), count(class_count))} · {when(created_at)}
          </p>
        </div>
        <button type="button" class="small quiet" onClick={() => setAsking(true)}>
          <Icon name="trash" /> {w.delete}
        </button>
      </div>
      {asking && (
        <Confirm
          title={w.deleteData(name ?? id)}
          action={w.delete}
          danger
          onClose={() => setAsking(false)}
          onDone={async () => {
            await graft.value.datasets.delete(id);
            go('data');
          }}
        >
          <p>{w.deleteDataSays}</p>
        </Confirm>
      )}
      {warnings.map((warning) => (
        <p key={warning} class="note">
          {warning}
        </p>
      ))}
      <div class="beside">
        <div>
          <Understood dataset={dataset} />
          <Classes dataset={dataset} />
          <Refused dataset={dataset} />
        </div>
        <TrainForm dataset={dataset} backbone={backbone} />
      </div>
    </>
  );
}

/** How the archive was read, in a sentence, so that a wrong guess is noticed. */
function Understood({ dataset }: { dataset: Dataset }) {
  const { layout, splits, duplicate_count, conflicts, refused_count } = dataset;
  const parts = [
    w.layouts[layout.kind](layout.labels_file ?? ''),
    splits ? w.splitCounts(count(splits.train), count(splits.validation), count(splits.test)) : undefined,
    refused_count > 0 ? w.refusedCount(count(refused_count)) : undefined,
    duplicate_count > 0 ? w.duplicateCount(count(duplicate_count)) : undefined,
    conflicts > 0 ? w.conflictCount(count(conflicts)) : undefined,
  ];
  return <p>{parts.filter((part) => part !== undefined).join(' ')}</p>;
}

function Classes({ dataset }: { dataset: Dataset }) {
  const { id, classes } = dataset;
  const [all, setAll] = useState(false);
  const most = Math.max(...classes.map(({ examples }) => examples), 1);
  const shown = all ? classes : classes.slice(0, MANY);
  return (
    <>
      <ul class="plain classList">
        {shown.map(({ label, examples, names = [], digests = [] }) => (
          <li key={label}>
            <Strip dataset={id} digests={digests} names={names} />
            <span class="grow">
              <span class="row spread">
                <b>{label}</b>
                <span class="dim">{count(examples)}</span>
              </span>
              <span class="track" aria-hidden="true">
                <span class="fill" style={{ width: `${(examples / most) * 100}%` }} />
              </span>
            </span>
          </li>
        ))}
      </ul>
      {shown.length < classes.length && (
        <button type="button" class="small" onClick={() => setAll(true)}>
          {w.showAll(count(classes.length))}
        </button>
      )}
    </>
  );
}

/** What was not taken, and why; with a small picture of what this tab has sent. */
function Refused({ dataset }: { dataset: Dataset }) {
  const { id, refused, duplicates } = dataset;
  return (
    <>
      {refused.length > 0 && (
        <details class="fold" open={refused.length <= 20}>
          <summary>{w.refusedTitle(count(refused.length))}</summary>
          <ul class="plain refused">
            {refused.slice(0, MANY).map(({ name, reason }) => {
              const file = sentFile(id, name);
              return (
                <li key={name}>
                  {file && <Photo from={{ file }} name={name} />}
                  <span>
                    <b>{name}</b>
                    <br />
                    <span class="dim">{reason}</span>
                  </span>
                </li>
              );
            })}
            {refused.length > MANY && <li class="dim">{w.andMore(refused.length - MANY)}</li>}
          </ul>
        </details>
      )}
      {duplicates.length > 0 && (
        <details class="fold">
          <summary>{w.duplicatesTitle(count(duplicates.length))}</summary>
          <ul class="plain small">
            {duplicates.slice(0, MANY).map(({ name, same_as }) => (
              <li key={`${name} ${same_as}`}>{w.duplicateOf(name, same_as)}</li>
            ))}
            {duplicates.length > MANY && <li class="dim">{w.andMore(duplicates.length - MANY)}</li>}
          </ul>
        </details>
      )}
    </>
  );
}
