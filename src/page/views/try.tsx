/** A model is tried: photos that are dropped, pasted or chosen, the camera with bars that move, and why it says what it says. */
import { useEffect, useState } from 'preact/hooks';
import type { Model, Prediction } from '../../client/index.js';
import { mayBePhoto, type Picked } from '../core/drops.js';
import { percent } from '../core/format.js';
import { useLoaded } from '../core/loaded.js';
import { graft, noted } from '../core/session.js';
import { Bars } from '../parts/bars.js';
import { Camera, type CameraControl } from '../parts/camera.js';
import { ChooseButton, DropZone } from '../parts/drop-zone.js';
import { ErrorNote } from '../parts/error-note.js';
import { Icon } from '../parts/icon.js';
import { Photo } from '../parts/photo.js';
import { words as w } from '../words/words.js';
import { usePaste } from './start.js';

type Result = Prediction['results'][number];

const LABELS = 5;
const NEAREST = 6;
/** Most photos that are tried at once. */
const MOST = 24;
/** Photos of the data set that are offered. */
const OFFERED = 12;

export function Try({ model }: { model: Model }) {
  const { name, latest, aliases, versions } = model;
  const [which, setWhich] = useState('');
  const [tried, setTried] = useState<File[]>([]);
  const [camera, setCamera] = useState(false);
  const [said, setSaid] = useState<string>();
  const target = targetOf(which);
  const take = (files: File[]) => {
    const photos = files.filter(mayBePhoto);
    setSaid(
      photos.length === 0
        ? w.noPhotosDropped(String(files.length))
        : photos.length > MOST
          ? w.firstOnly(MOST)
          : undefined,
    );
    if (photos.length === 0) return;
    setCamera(false);
    setTried(photos.slice(0, MOST));
  };
  const picked = (what: Picked) => {
    if (what.kind === 'archive' || what.kind === 'nothing' || what.kind === 'too_many') return setSaid(w.onlyPhotos);
    take(what.files.map(({ content }) => content));
  };
  usePaste(picked);
  const version = target.version ?? aliases.find(({ alias }) => alias === target.alias)?.version ?? latest.version;
  // Another version may have learnt from another data set.
  const { value: other } = useLoaded(
    async (signal) => (version === latest.version ? latest : graft.value.models.version(name, version, { signal })),
    [name, version],
  );
  const dataset = (other ?? latest).dataset;
  return (
    <>
      <DropZone label={w.dropToTry} onPicked={picked} class="try">
        <p class="row spread">
          <span class="row">
            <ChooseButton class="primary" accept="image/*" onPicked={picked}>
              <Icon name="file" /> {w.choosePhotos}
            </ChooseButton>
            <button type="button" aria-pressed={camera} onClick={() => setCamera(!camera)}>
              <Icon name="camera" /> {camera ? w.cameraClose : w.camera}
            </button>
          </span>
          {(versions.length > 1 || aliases.length > 0) && (
            <label class="row">
              <span class="dim">{w.with}</span>
              <select value={which} onChange={({ currentTarget }) => setWhich(currentTarget.value)}>
                <option value="">{w.latest(latest.version)}</option>
                {aliases.map(({ alias, version }) => (
                  <option key={alias} value={`alias ${alias}`}>
                    {alias} → {version}
                  </option>
                ))}
                {versions.map((one) => (
                  <option key={one} value={`version ${one}`}>
                    {w.versionNumber(one)}
                  </option>
                ))}
              </select>
            </label>
          )}
        </p>
        {said && (
          <p class="note" role="alert">
            {said}
          </p>
        )}
        {camera && <LiveBars key={which} model={name} target={target} onPhoto={(file) => take([file])} />}
        {!camera && tried.length === 0 && <p class="dim big centre">{w.dropToTrySays}</p>}
        {!camera && tried.length === 1 && (
          <Tried key={which} file={tried[0]!} model={name} target={target} dataset={dataset} />
        )}
        {!camera && tried.length > 1 && (
          <ul class="plain triedMany">
            {tried.map((file) => (
              <TriedSmall
                key={file.name + file.lastModified + which}
                file={file}
                model={name}
                target={target}
                onOpen={() => setTried([file])}
              />
            ))}
          </ul>
        )}
      </DropZone>
      <Offered model={name} version={version} dataset={dataset} onTake={(file) => take([file])} />
    </>
  );
}

interface Target {
  version?: number;
  alias?: string;
}

function targetOf(which: string): Target {
  const [kind, ...rest] = which.split(' ');
  if (kind === 'alias') return { alias: rest.join(' ') };
  return kind === 'version' ? { version: Number(rest[0]) } : {};
}

/** One photo, large, with its bars; why, when asked. */
function Tried({ file, model, target, dataset }: { file: File; model: string; target: Target; dataset: string }) {
  const [explained, setExplained] = useState<string>();
  const { value, error } = useLoaded(
    async (signal) => {
      const more = explained === undefined ? {} : { explain: true, nearest: NEAREST, class: explained || undefined };
      const answer = await graft.value.models.predict(model, file, { ...target, topK: LABELS, ...more, signal });
      return { result: answer.results[0]!, ms: answer.timings.total_ms };
    },
    [file.name, file.size, file.lastModified, model, target, explained],
  );
  const [last, setLast] = useState<{ result: Result; ms: number }>();
  useEffect(() => value && setLast(value), [value]);
  const shown = value ?? last;
  const why = shown?.result.explanation;
  return (
    <div class="tried">
      <div>
        {why?.overlay ? (
          <span class="photo large">
            <img src={why.overlay.png} alt={w.heatMapOf(why.label)} />
          </span>
        ) : (
          <Photo from={{ file }} name={file.name} large />
        )}
        {why?.overlay && <p class="dim small">{w.heatMapSays(why.label)}</p>}
        {why?.no_map && <p class="dim small">{why.no_map}</p>}
      </div>
      <div role="status">
        <ErrorNote error={error} />
        {shown && <Bars scores={shown.result.predictions} />}
        {shown && (
          <p class="row">
            <button
              type="button"
              class="small"
              aria-pressed={explained !== undefined}
              onClick={() => setExplained(explained === undefined ? '' : undefined)}
            >
              {explained === undefined ? w.why : w.hideWhy}
            </button>
            {explained !== undefined && (
              <select
                class="small"
                aria-label={w.explainClass}
                value={why?.label ?? ''}
                onChange={({ currentTarget }) => setExplained(currentTarget.value)}
              >
                {shown.result.predictions.map(({ label }) => (
                  <option key={label}>{label}</option>
                ))}
              </select>
            )}
            <span class="dim small">{w.tookMs(Math.max(1, Math.round(shown.ms)))}</span>
          </p>
        )}
        {why && why.nearest.length > 0 && (
          <>
            <h3>{w.nearest}</h3>
            <ul class="plain nearest">
              {why.nearest.map(({ sha256, name, label, similarity }) => (
                <li key={sha256}>
                  <Photo from={{ dataset, sha256 }} name={name} />
                  <span class="small">{label}</span>
                  <span class="dim small">{percent(similarity, 0)}</span>
                </li>
              ))}
            </ul>
          </>
        )}
      </div>
    </div>
  );
}

function TriedSmall({
  file,
  model,
  target,
  onOpen,
}: {
  file: File;
  model: string;
  target: Target;
  onOpen: () => void;
}) {
  const { value, error } = useLoaded(
    async (signal) => (await graft.value.models.predict(model, file, { ...target, topK: 1, signal })).results[0]!,
    [file.name, file.size, target],
  );
  const best = value?.predictions[0];
  return (
    <li>
      <button type="button" class="thumb" onClick={onOpen}>
        <Photo from={{ file }} name={file.name} />
        {best && (
          <span>
            <b>{best.label}</b> <span class="dim">{percent(best.score, 0)}</span>
          </span>
        )}
        {error && <span class="dim small">{error.message}</span>}
      </button>
    </li>
  );
}

/** What the camera sees is classified again and again, one request at a time. */
function LiveBars({ model, target, onPhoto }: { model: string; target: Target; onPhoto: (file: File) => void }) {
  const [control, setControl] = useState<CameraControl>();
  const [why, setWhy] = useState<string>();
  const [result, setResult] = useState<Result>();
  const [error, setError] = useState<Error>();
  useEffect(() => {
    if (!control) return;
    const left = new AbortController();
    const { signal } = left;
    const look = async () => {
      while (!signal.aborted) {
        try {
          const photo = await control.take();
          const answer = await graft.value.models.predict(model, photo, { ...target, topK: LABELS, signal });
          setResult(answer.results[0]);
          setError(undefined);
        } catch (failure) {
          if (signal.aborted) return;
          setError(noted(failure));
          await new Promise((resolve) => setTimeout(resolve, 1500));
        }
        await new Promise(requestAnimationFrame);
      }
    };
    void look();
    return () => left.abort();
  }, [control]);
  if (why) {
    return (
      <p class="note" role="alert">
        {why}
      </p>
    );
  }
  return (
    <div class="tried">
      <div>
        <Camera onReady={(ready) => setControl(ready)} onFail={setWhy} />
        <p class="row">
          <button
            type="button"
            class="small"
            disabled={!control}
            onClick={async () => control && onPhoto(await control.take())}
          >
            {w.keepThis}
          </button>
        </p>
      </div>
      <div>
        <ErrorNote error={error} />
        {result ? <Bars scores={result.predictions} /> : <p class="dim">{w.cameraStarts}</p>}
      </div>
    </div>
  );
}

/** Photos of the data set that the version had not seen when it was measured, to try it on. */
function Offered({
  model,
  version,
  dataset,
  onTake,
}: {
  model: string;
  version: number;
  dataset: string;
  onTake: (file: File) => void;
}) {
  const { value } = useLoaded(
    async (signal) => {
      const { data } = await graft.value.models.heldOut(model, version, { limit: 200, signal }).page();
      // Spread over what there is, so that more than one class is seen.
      const step = Math.max(1, Math.floor(data.length / OFFERED));
      return data.filter((_, place) => place % step === 0).slice(0, OFFERED);
    },
    [model, version],
  );
  if (!value || value.length === 0) return null;
  const take = async (sha256: string, name: string) => {
    const blob = await graft.value.datasets.example(dataset, sha256).catch(noted);
    if (blob instanceof Blob) onTake(new File([blob], name.split('/').at(-1)!, { type: blob.type }));
  };
  return (
    <section>
      <h2>{w.heldOutPhotos}</h2>
      <ul class="plain thumbs large">
        {value.map(({ sha256, name, predicted, labels }) => (
          <li key={sha256}>
            <button type="button" class="thumb" onClick={() => void take(sha256, name)} aria-label={w.tryPhoto(name)}>
              <Photo from={{ dataset, sha256 }} name={name} />
              <span class={`small ${labels.includes(predicted) ? '' : 'wrong'}`}>{predicted}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
