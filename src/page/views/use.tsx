/** How others use a model: the call, with the real address, and the files. */
import { useState } from 'preact/hooks';
import type { Model } from '../../client/index.js';
import { callsOf } from '../core/calls.js';
import { useAction } from '../core/loaded.js';
import { BASE, graft, key } from '../core/session.js';
import { CopyButton } from '../parts/copy.js';
import { ErrorNote } from '../parts/error-note.js';
import { Icon } from '../parts/icon.js';
import { words as w } from '../words/words.js';

const FORMATS = ['bundle', 'onnx', 'tfjs'] as const;

export function Use({ model }: { model: Model }) {
  const { name, latest, aliases } = model;
  const [alias, setAlias] = useState<string>();
  const calls = callsOf({ base: BASE, model: name, alias, hasKey: key.value !== undefined });
  return (
    <>
      <section class="card">
        <div class="row spread">
          <h2>{w.callTitle}</h2>
          {aliases.length > 0 && (
            <label class="row">
              <span class="dim">{w.with}</span>
              <select value={alias ?? ''} onChange={({ currentTarget }) => setAlias(currentTarget.value || undefined)}>
                <option value="">{w.latest(latest.version)}</option>
                {aliases.map((one) => (
                  <option key={one.alias} value={one.alias}>
                    {one.alias}
                  </option>
                ))}
              </select>
            </label>
          )}
        </div>
        <p class="dim">{key.value === undefined ? w.callHow : w.callHowKey}</p>
        {calls.map(({ id, title, text }) => (
          <div key={id} class="call">
            <div class="row spread">
              <h3>{title}</h3>
              <CopyButton text={text} label={w.copyCall(title)} />
            </div>
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by the keyboard */}
            <pre class="code" id={`call-${id}`} tabIndex={0}>
              {text}
            </pre>
          </div>
        ))}
      </section>
      <Downloads model={model} alias={alias} />
    </>
  );
}

function Downloads({ model, alias }: { model: Model; alias: string | undefined }) {
  const { name, latest, aliases } = model;
  const version = aliases.find((one) => one.alias === alias)?.version ?? latest.version;
  const save = useAction(async (format: (typeof FORMATS)[number]) => {
    const blob = await graft.value.models.artifact(name, { version, format });
    saveAs(blob, `${name}-v${version}${format === 'bundle' ? '' : `-${format}`}.${format === 'onnx' ? 'onnx' : 'zip'}`);
  });
  const card = useAction(async () => {
    saveAs(
      new Blob([await graft.value.models.card(name, { version })], { type: 'text/markdown' }),
      `${name}-v${version}.md`,
    );
  });
  return (
    <section class="card">
      <h2>{w.downloadTitle(version)}</h2>
      <ul class="plain rows">
        {FORMATS.map((format) => (
          <li key={format} class="row spread">
            <span>
              <b>{w.formats[format].title}</b>
              <br />
              <span class="dim small">{w.formats[format].says}</span>
            </span>
            <button type="button" class="small" disabled={save.busy} onClick={() => void save.run(format)}>
              <Icon name="download" /> {w.download}
            </button>
          </li>
        ))}
        <li class="row spread">
          <span>
            <b>{w.card}</b>
            <br />
            <span class="dim small">{w.cardSays}</span>
          </span>
          <button type="button" class="small" disabled={card.busy} onClick={() => void card.run()}>
            <Icon name="download" /> {w.download}
          </button>
        </li>
      </ul>
      <ErrorNote error={save.error ?? card.error} />
    </section>
  );
}

/** A link cannot send a key: the bytes come by a call, and are saved from here. */
function saveAs(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
