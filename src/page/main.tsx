/**
 * page/ is what a browser shows at the top of the service: from photos to a model, and what there is. It stands on the client
 * alone, so whatever it can do every program can.
 *
 * This file: the frame, and which view is shown.
 */
import { render } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { followAddress, path, to } from './core/router.js';
import { BASE, key, refused, signOut } from './core/session.js';
import { Icon } from './parts/icon.js';
import { UploadBar } from './parts/upload-bar.js';
import { BackboneList } from './views/backbones.js';
import { Collect } from './views/collect.js';
import { DataList, DataSet } from './views/data.js';
import { JobView } from './views/job.js';
import { JobList } from './views/jobs.js';
import { ModelView } from './views/model.js';
import { ModelList } from './views/models.js';
import { SignIn } from './views/sign-in.js';
import { Start } from './views/start.js';
import { words as w } from './words/words.js';

const NAVIGATION = [
  ['', w.start],
  ['data', w.data],
  ['models', w.models],
  ['jobs', w.jobs],
  ['backbones', w.backbones],
] as const;

function Frame() {
  const [room = '', ...rest] = path.value;
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  const view = path.value.slice(0, 3).join('/');
  useEffect(() => {
    document.title = [rest[0], NAVIGATION.find(([name]) => name === room)?.[1], 'Graft'].filter(Boolean).join(' · ');
    // Whoever reads by ear is taken to the new view.
    if (!first.current) main.current?.focus({ preventScroll: true });
    if (!first.current) scrollTo(0, 0);
    first.current = false;
  }, [view]);
  const wantsKey = refused.value !== undefined;
  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        {w.skip}
      </button>
      <header>
        <a class="logo" href={to()}>
          <Icon name="logo" /> Graft
        </a>
        {!wantsKey && (
          <nav aria-label={w.navigation}>
            {NAVIGATION.map(([name, title]) => (
              <a key={name} href={to(...(name ? [name] : []))} aria-current={name === room ? 'page' : undefined}>
                {title}
              </a>
            ))}
          </nav>
        )}
        <span class="row end aside">
          <a href={`${BASE}docs`}>{w.api}</a>
          {key.value !== undefined && !wantsKey && (
            <button type="button" class="small quiet" onClick={signOut}>
              {w.signOut}
            </button>
          )}
        </span>
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        {wantsKey ? (
          <SignIn />
        ) : (
          <>
            <UploadBar />
            <View room={room} rest={rest} />
          </>
        )}
      </main>
    </>
  );
}

function View({ room, rest: [one, two, three] }: { room: string; rest: string[] }) {
  // Another key sees other things.
  const k = key.value;
  switch (room) {
    case '':
      return <Start key={k} />;
    case 'collect':
      return <Collect />;
    case 'data':
      return one ? <DataSet key={`${one} ${k}`} id={one} backbone={two} /> : <DataList key={k} />;
    case 'models':
      return one ? <ModelView key={`${one} ${k}`} name={one} tab={two} version={three} /> : <ModelList key={k} />;
    case 'jobs':
      return one ? <JobView key={`${one} ${k}`} id={one} /> : <JobList key={k} />;
    case 'backbones':
      return <BackboneList key={k} />;
    default:
      return (
        <p class="note">
          {w.noSuchView} <a href={to()}>{w.start}</a>
        </p>
      );
  }
}

// What misses every place to drop must not replace the page.
for (const event of ['dragover', 'drop']) addEventListener(event, (dropped) => dropped.preventDefault());
followAddress();
render(<Frame />, document.getElementById('app')!);
