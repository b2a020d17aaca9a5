/** Backbones: those that are installed, and public networks that can be pulled. */
import { useState } from 'preact/hooks';
import { type CatalogRow, GraftError } from '../../client/index.js';
import { bytes, count } from '../core/format.js';
import { useAction, useLoaded } from '../core/loaded.js';
import { to } from '../core/router.js';
import { graft } from '../core/session.js';
import { Progress } from '../parts/bars.js';
import { ErrorNote } from '../parts/error-note.js';
import { words as w } from '../words/words.js';

const LOOK_MS = 1000;

export function BackboneList() {
  const [round, setRound] = useState(0);
  const { value: installed, error, again } = useLoaded((signal) => graft.value.backbones.list({ signal }), [round]);
  return (
    <>
      <h1>{w.backbones}</h1>
      <p class="dim">{w.backbonesSay}</p>
      <ErrorNote error={error} again={again} />
      <ul class="plain cards">
        {installed?.map(({ id, name, features, bytes: size, license, default: standard }) => (
          <li key={id} class="card">
            <span class="row spread">
              <b>{name}</b>
              {standard && <span class="badge">{w.standard}</span>}
            </span>
            <span class="small">{id}</span>
            <span class="dim small">
              {w.featureCount(count(features.dimensions))} · {bytes(size)} · {license}
            </span>
          </li>
        ))}
      </ul>
      <Catalog onPulled={() => setRound(round + 1)} />
    </>
  );
}

/** For keys with the scope `operator` alone. */
function Catalog({ onPulled }: { onPulled: () => void }) {
  const { value: catalog, error, again } = useLoaded((signal) => graft.value.backbones.catalog({ signal }), []);
  const { value: open, again: lookAgain } = useLoaded(
    async (signal) => {
      const { data } = await graft.value.jobs.list({ kind: 'pull', limit: 50, signal }).page();
      return data;
    },
    [],
    (jobs) => (jobs.some(({ finished_at }) => finished_at === null) ? LOOK_MS : undefined),
  );
  if (error instanceof GraftError && error.status === 403) return <p class="dim">{w.noCatalog}</p>;
  const jobOf = (id: string) => open?.find(({ backbone }) => backbone === id);
  return (
    <section>
      <h2>{w.catalog}</h2>
      {catalog && !catalog.pull_allowed && <p class="note">{w.pullNotAllowed}</p>}
      <ErrorNote error={error} again={again} />
      <ul class="plain rows">
        {catalog?.data.map((network) => {
          const job = jobOf(network.id);
          const running = job !== undefined && job.finished_at === null;
          return (
            <li key={network.id}>
              <CatalogEntry
                network={network}
                running={running}
                done={network.installed || job?.status === 'succeeded'}
                allowed={catalog.pull_allowed}
                onStarted={() => {
                  lookAgain();
                  onPulled();
                }}
              />
              {running && (
                <Progress share={job.status === 'queued' ? undefined : job.progress} label={w.pullOf(network.id)} />
              )}
              {job && (running || job.status === 'failed') && (
                <a class="small" href={to('jobs', job.id)}>
                  {running ? w.watch : w.pullFailed}
                </a>
              )}
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function CatalogEntry({
  network,
  running,
  done,
  allowed,
  onStarted,
}: {
  network: CatalogRow;
  running: boolean;
  done: boolean;
  allowed: boolean;
  onStarted: () => void;
}) {
  const { id, name, bytes: size, license, imagenet_top1, input_px, good_for: goodFor, gmacs, note } = network;
  const [byDefault, setByDefault] = useState(false);
  const pull = useAction(async () => {
    await graft.value.backbones.pull(id, { byDefault });
    onStarted();
  });
  return (
    <>
      <span class="row spread">
        <span>
          <b>{name}</b>
          <br />
          <span class="dim small">
            {bytes(size)} · {input_px} px · {license}
            {imagenet_top1 !== null && ` · ${w.imagenet(imagenet_top1.toFixed(1))}`}
            {gmacs !== null && ` · ${w.cost(gmacs.toFixed(1))}`}
            {goodFor !== null && ` · ${goodFor}`}
            {note && ` · ${note}`}
          </span>
        </span>
        {done ? (
          <span class="badge">{w.installed}</span>
        ) : (
          allowed && (
            <span class="row">
              <label class="small">
                <input
                  type="checkbox"
                  checked={byDefault}
                  onChange={({ currentTarget }) => setByDefault(currentTarget.checked)}
                />{' '}
                {w.asStandard}
              </label>
              <button type="button" class="small" disabled={running || pull.busy} onClick={() => void pull.run()}>
                {running ? w.pulling : w.pull}
              </button>
            </span>
          )
        )}
      </span>
      <ErrorNote error={pull.error} />
    </>
  );
}
