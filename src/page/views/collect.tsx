/** Photos are sorted into classes: dropped onto one, chosen, pasted, or taken with the camera. */
import { useState } from 'preact/hooks';
import {
  activeClass,
  type CollectedClass,
  change,
  classes,
  newClass,
  photosOf,
  sendCollected,
} from '../core/collected.js';
import { count } from '../core/format.js';
import { to } from '../core/router.js';
import { upload } from '../core/uploads.js';
import { BurstCamera } from '../parts/camera.js';
import { ChooseButton, DropZone } from '../parts/drop-zone.js';
import { Icon } from '../parts/icon.js';
import { Photo } from '../parts/photo.js';
import { words as w } from '../words/words.js';
import { usePaste } from './start.js';

/** So many photos of a class are shown. */
const SHOWN = 24;

export function Collect() {
  if (classes.value.length === 0) classes.value = [newClass(), newClass()];
  const [name, setName] = useState('');
  usePaste((picked) => {
    const target = classes.value.find(({ id }) => id === activeClass.value) ?? classes.value[0];
    if (target) change(target.id, ({ photos }) => ({ photos: [...photos, ...photosOf(picked)] }));
  });
  const missing = whatIsMissing(classes.value);
  return (
    <>
      <p>
        <a class="back" href={to()}>
          <Icon name="back" /> {w.start}
        </a>
      </p>
      <h1>{w.collectTitle}</h1>
      <p class="dim">{w.collectHow}</p>
      <div class="classes">
        {classes.value.map((one, place) => (
          <ClassCard key={one.id} one={one} place={place + 1} />
        ))}
        <button
          type="button"
          class="addClass"
          onClick={() => {
            classes.value = [...classes.value, newClass()];
          }}
        >
          <Icon name="plus" /> {w.addClass}
        </button>
      </div>
      <form
        class="card row spread"
        onSubmit={(event) => {
          event.preventDefault();
          void sendCollected(name.trim());
        }}
      >
        <label class="field">
          <span>{w.nameOfData}</span>
          <input value={name} maxLength={255} onInput={({ currentTarget }) => setName(currentTarget.value)} />
        </label>
        <span class="dim" role="status">
          {missing ?? w.collected(count(classes.value.reduce((sum, { photos }) => sum + photos.length, 0)))}
        </span>
        <button type="submit" class="primary" disabled={missing !== undefined || upload.value?.state === 'sending'}>
          {w.uploadThese}
        </button>
      </form>
    </>
  );
}

/** A sentence; undefined: they can be sent. */
function whatIsMissing(all: CollectedClass[]): string | undefined {
  const filled = all.filter(({ photos }) => photos.length > 0);
  if (filled.length < 2) return w.needTwoClasses;
  const nameless = filled.find(({ name }) => name.trim() === '');
  if (nameless) return w.needName;
  const names = filled.map(({ name }) => name.trim());
  return new Set(names).size < names.length ? w.needOtherName : undefined;
}

function ClassCard({ one, place }: { one: CollectedClass; place: number }) {
  const [camera, setCamera] = useState(false);
  const { id, name, photos } = one;
  const add = (more: File[]) => {
    activeClass.value = id;
    change(id, ({ photos }) => ({ photos: [...photos, ...more] }));
  };
  const shown = name.trim() || w.classNumber(place);
  return (
    <DropZone
      label={w.photosOfClass(shown)}
      class={`class ${activeClass.value === id ? 'active' : ''}`}
      onPicked={(picked) => add(photosOf(picked))}
    >
      <div class="row spread">
        <input
          class="className"
          value={name}
          maxLength={200}
          placeholder={w.classNumber(place)}
          aria-label={w.nameOfClass(place)}
          onFocus={() => {
            activeClass.value = id;
          }}
          onInput={({ currentTarget }) => change(id, () => ({ name: currentTarget.value }))}
        />
        <button
          type="button"
          class="small quiet"
          aria-label={w.removeClass(shown)}
          onClick={() => {
            classes.value = classes.value.filter((other) => other.id !== id);
          }}
        >
          <Icon name="trash" />
        </button>
      </div>
      {camera ? (
        <BurstCamera onPhoto={(file) => add([file])} onClose={() => setCamera(false)} />
      ) : (
        <p class="row">
          <ChooseButton class="small" accept="image/*" onPicked={(picked) => add(photosOf(picked))}>
            <Icon name="file" /> {w.choosePhotos}
          </ChooseButton>
          <button type="button" class="small" onClick={() => setCamera(true)}>
            <Icon name="camera" /> {w.camera}
          </button>
        </p>
      )}
      <p class="dim small" role="status">
        {photos.length === 0 ? w.dropOntoClass : w.photoCount(count(photos.length))}
      </p>
      <ul class="plain thumbs">
        {photos.slice(-SHOWN).map((file) => (
          <li key={`${file.name} ${file.lastModified} ${file.size}`}>
            <button
              type="button"
              class="thumb"
              aria-label={w.removePhoto(file.name)}
              onClick={() => change(id, ({ photos }) => ({ photos: photos.filter((other) => other !== file) }))}
            >
              <Photo from={{ file }} name={file.name} />
            </button>
          </li>
        ))}
      </ul>
    </DropZone>
  );
}
