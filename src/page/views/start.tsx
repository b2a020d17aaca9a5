/** views/ are what the page shows, one file each. This one: a place to drop photos, and what there is already. */
import { useEffect, useState } from 'preact/hooks';
import { collect } from '../core/collected.js';
import { type Picked, pickedFromInput } from '../core/drops.js';
import { count, modelName, when } from '../core/format.js';
import { forgetUpload, interruptedName, keptUpload } from '../core/kept-upload.js';
import { useAction, useLoaded } from '../core/loaded.js';
import { go, to } from '../core/router.js';
import { graft } from '../core/session.js';
import { send, upload } from '../core/uploads.js';
import { ChooseButton, DropZone } from '../parts/drop-zone.js';
import { ErrorNote } from '../parts/error-note.js';
import { Icon } from '../parts/icon.js';
import { Photo } from '../parts/photo.js';
import { words as w } from '../words/words.js';
import { ModelCards } from './models.js';

export function Start() {
  const [said, setSaid] = useState<string>();
  const { value, error, again } = useLoaded(async (signal) => {
    const service = graft.value;
    const [datasets, models] = await Promise.all([
      service.datasets.list({ limit: 6, signal }).page(),
      service.models.list({ limit: 12, signal }).page(),
    ]);
    return { datasets: datasets.data, models: models.data };
  }, []);
  const picked = (what: Picked) => {
    setSaid(undefined);
    switch (what.kind) {
      case 'archive':
        return void send({ name: what.name, archive: true, files: [{ name: what.name, content: what.file }] });
      case 'folders':
        return void send({ name: what.name, archive: false, files: what.files });
      case 'photos':
        collect(
          what.name,
          what.files.map(({ content }) => content),
        );
        return go('collect');
      case 'too_many':
        return setSaid(w.tooManyFiles(count(what.most)));
      case 'nothing':
        return setSaid(what.files === 0 ? w.nothingDropped : w.noPhotosDropped(count(what.files)));
    }
  };
  usePaste(picked);
  const empty = value !== undefined && value.datasets.length === 0 && value.models.length === 0;
  return (
    <>
      <h1 class={empty || !value ? '' : 'hidden'}>{w.startTitle}</h1>
      <Interrupted />
      <DropZone label={w.dropLabel} onPicked={picked} class={empty ? 'hero' : ''}>
        <Icon name="stack" />
        <p class="big">{w.dropHere}</p>
        <p class="dim">{w.dropKinds}</p>
        <p class="row centre">
          <ChooseButton onPicked={picked} folder class="primary">
            <Icon name="folder" /> {w.chooseFolder}
          </ChooseButton>
          <ChooseButton onPicked={picked}>
            <Icon name="file" /> {w.chooseFiles}
          </ChooseButton>
          <a class="button" href={to('collect')}>
            <Icon name="camera" /> {w.sortByHand}
          </a>
        </p>
      </DropZone>
      {said && (
        <p class="note bad" role="alert">
          {said}
        </p>
      )}
      <ErrorNote error={error} again={again} />
      <Drawn />
      {empty && <Steps />}
      {value && value.models.length > 0 && (
        <section>
          <h2>{w.models}</h2>
          <ModelCards models={value.models} />
        </section>
      )}
      {value && value.datasets.length > 0 && (
        <section>
          <h2>{w.data}</h2>
          <ul class="plain rows">
            {value.datasets.map(({ id, name, examples, class_count, created_at }) => (
              <li key={id}>
                <a class="row spread" href={to('data', id)}>
                  <b>{name ?? id}</b>
                  <span class="dim">
                    {w.photosInClasses(count(examples), count(class_count))} · {when(created_at)}
                  </span>
                </a>
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

/** What comes after the drop, for whoever sees this for the first time. */
function Steps() {
  return (
    <ol class="steps">
      {w.steps.map(({ title, says }) => (
        <li key={title}>
          <b>{title}</b>
          <br />
          <span class="dim">{says}</span>
        </li>
      ))}
    </ol>
  );
}

/** Photos from the clipboard, wherever the focus is. */
export function usePaste(onPicked: (picked: Picked) => void): void {
  useEffect(() => {
    const paste = ({ clipboardData }: ClipboardEvent) => {
      const files = [...(clipboardData?.files ?? [])];
      if (files.length > 0) onPicked(pickedFromInput(files));
    };
    addEventListener('paste', paste);
    return () => removeEventListener('paste', paste);
  });
}

/** No photos at hand: the service draws some, and the whole way is gone with them. */
function Drawn() {
  const { run, busy, error } = useAction(async () => {
    const service = graft.value;
    const dataset = await service.datasets.draw();
    const job = await service.jobs.create({ dataset: dataset.id, model: modelName('drawn-photos') });
    go('jobs', job.id);
  });
  return (
    <>
      <p class="row centre dim">
        {w.noPhotosAtHand}
        <button type="button" class="small" onClick={() => void run()} disabled={busy}>
          <Icon name="pen" /> {busy ? w.drawing : w.drawSome}
        </button>
      </p>
      <ErrorNote error={error} />
    </>
  );
}

/** A reload broke an upload off: it begins anew with one press. */
function Interrupted() {
  const [name, setName] = useState(upload.value ? undefined : interruptedName());
  const [lost, setLost] = useState(false);
  useEffect(() => {
    // What a tab that was closed left behind.
    if (name === undefined && !upload.value) void forgetUpload();
  }, []);
  if (name === undefined || upload.value) return null;
  const close = () => {
    setName(undefined);
    void forgetUpload();
  };
  const begin = async () => {
    const kept = await keptUpload();
    if (kept) {
      setName(undefined);
      return send(kept);
    }
    setLost(true);
    await forgetUpload();
  };
  if (lost) return <p class="note">{w.interruptedLost(name || w.photos)}</p>;
  return (
    <section class="note" role="alert">
      <p>{w.interrupted(name || w.photos)}</p>
      <p class="row">
        <button type="button" class="primary small" onClick={() => void begin()}>
          {w.sendAgain}
        </button>
        <button type="button" class="small" onClick={close}>
          {w.dismiss}
        </button>
      </p>
    </section>
  );
}

/** A few photos of a data set, side by side. */
export function Strip({ dataset, digests, names }: { dataset: string; digests: string[]; names: string[] }) {
  return (
    <span class="strip">
      {digests.map((sha256, place) => (
        <Photo key={sha256} from={{ dataset, sha256 }} name={names[place] ?? sha256} />
      ))}
    </span>
  );
}
