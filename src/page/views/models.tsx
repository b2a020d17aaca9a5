/** Models: all of them. */
import { useState } from 'preact/hooks';
import type { ModelSummary } from '../../client/index.js';
import { count, percent, when } from '../core/format.js';
import { useAction, useLoaded } from '../core/loaded.js';
import { to } from '../core/router.js';
import { graft } from '../core/session.js';
import { ErrorNote } from '../parts/error-note.js';
import { words as w } from '../words/words.js';

const PAGE = 60;

export function ModelList() {
  const { value, error, again } = useLoaded((signal) => graft.value.models.list({ limit: PAGE, signal }).page(), []);
  const [more, setMore] = useState<ModelSummary[]>([]);
  const [hasMore, setHasMore] = useState<boolean>();
  const next = useAction(async () => {
    const last = (more.at(-1) ?? value?.data.at(-1))!.name;
    const page = await graft.value.models.list({ limit: PAGE }).page(last);
    setMore([...more, ...page.data]);
    setHasMore(page.has_more);
  });
  const rows = [...(value?.data ?? []), ...more];
  return (
    <>
      <h1>{w.models}</h1>
      <ErrorNote error={error} again={again} />
      {value && rows.length === 0 && <p class="dim">{w.noModels}</p>}
      <ModelCards models={rows} />
      <ErrorNote error={next.error} />
      {(hasMore ?? value?.has_more) && (
        <button type="button" onClick={() => void next.run()} disabled={next.busy}>
          {w.showMore}
        </button>
      )}
    </>
  );
}

export function ModelCards({ models }: { models: ModelSummary[] }) {
  return (
    <ul class="plain cards">
      {models.map(({ name, latest, versions }) => (
        <li key={name}>
          <a class="card" href={to('models', name)}>
            <b>{name}</b>
            <span class="figure">{percent(latest.accuracy)}</span>
            <span class="dim small">
              {w.classesAndVersions(count(latest.labels.length), versions.length)} · {when(latest.created_at)}
            </span>
          </a>
        </li>
      ))}
    </ul>
  );
}
