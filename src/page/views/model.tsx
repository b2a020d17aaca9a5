/** A model: to try it, its versions side by side, its report, and how others use it. */
import { useState } from 'preact/hooks';
import type { Model, Version } from '../../client/index.js';
import { count, percent, when } from '../core/format.js';
import { useAction, useLoaded } from '../core/loaded.js';
import { go, to } from '../core/router.js';
import { graft } from '../core/session.js';
import { Confirm } from '../parts/confirm.js';
import { ErrorNote } from '../parts/error-note.js';
import { Icon } from '../parts/icon.js';
import { Scroll } from '../parts/scroll.js';
import { words as w } from '../words/words.js';
import { ReportView } from './report.js';
import { Try } from './try.js';
import { Use } from './use.js';

const TABS = ['try', 'versions', 'report', 'use'] as const;

export function ModelView({
  name,
  tab = 'try',
  version,
}: {
  name: string;
  tab?: string;
  version?: string | undefined;
}) {
  const { value: model, error, again } = useLoaded((signal) => graft.value.models.get(name, { signal }), [name]);
  if (!model) {
    return error ? (
      <>
        <ErrorNote error={error} again={again} />
        <p>
          <a href={to('models')}>{w.models}</a>
        </p>
      </>
    ) : (
      <p class="dim">{w.loading}</p>
    );
  }
  const number = Number(version) || model.latest.version;
  return (
    <>
      <p>
        <a class="back" href={to('models')}>
          <Icon name="back" /> {w.models}
        </a>
      </p>
      <div class="row spread">
        <div>
          <h1>{name}</h1>
          <p class="dim">
            {w.latestVersion(model.latest.version, percent(model.latest.accuracy))}
            {model.aliases.map(({ alias, version }) => (
              <span key={alias} class="badge">
                {alias} → {version}
              </span>
            ))}
          </p>
        </div>
      </div>
      <nav class="tabs" aria-label={name}>
        {TABS.map((one) => (
          <a key={one} href={to('models', name, one)} aria-current={one === tab ? 'page' : undefined}>
            {w.tabs[one]}
          </a>
        ))}
      </nav>
      {tab === 'try' && <Try model={model} />}
      {tab === 'versions' && <Versions model={model} again={again} />}
      {tab === 'report' && <ReportView key={number} model={model} version={number} />}
      {tab === 'use' && <Use model={model} />}
    </>
  );
}

/** Figures side by side, and which alias names which version. */
function Versions({ model, again }: { model: Model; again: () => void }) {
  const { name } = model;
  const { value: versions, error } = useLoaded(
    (signal) => graft.value.models.versions(name, { limit: 100, signal }).page(),
    [name, model.versions],
  );
  const [asking, setAsking] = useState<{ delete: number } | { promote: number } | { model: true }>();
  return (
    <>
      <ErrorNote error={error} />
      <Aliases model={model} again={again} />
      <Scroll label={w.tabs.versions}>
        <table>
          <caption class="hidden">{w.tabs.versions}</caption>
          <thead>
            <tr>
              <th scope="col">{w.version}</th>
              <th scope="col">{w.accuracy}</th>
              <th scope="col">{w.interval95}</th>
              <th scope="col">{w.classes}</th>
              <th scope="col">{w.backbone}</th>
              <th scope="col">{w.head}</th>
              <th scope="col">{w.trainedOn}</th>
              <th scope="col">{w.made}</th>
              <th scope="col">
                <span class="hidden">{w.actions}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {versions?.data.map((row) => (
              <VersionRow key={row.version} row={row} onAsk={setAsking} />
            ))}
          </tbody>
        </table>
      </Scroll>
      <p class="row end">
        <button type="button" class="small quiet" onClick={() => setAsking({ model: true })}>
          <Icon name="trash" /> {w.deleteModel}
        </button>
      </p>
      {asking && 'delete' in asking && (
        <Confirm
          title={w.deleteVersion(name, asking.delete)}
          action={w.delete}
          danger
          onClose={() => setAsking(undefined)}
          onDone={async () => {
            await graft.value.models.deleteVersion(name, asking.delete);
            if (model.versions.length === 1) go('models');
            else again();
          }}
        >
          <p>{w.deleteVersionSays}</p>
        </Confirm>
      )}
      {asking && 'promote' in asking && (
        <Promote model={model} version={asking.promote} again={again} onClose={() => setAsking(undefined)} />
      )}
      {asking && 'model' in asking && (
        <Confirm
          title={w.deleteModelAsk(name)}
          action={w.delete}
          danger
          onClose={() => setAsking(undefined)}
          onDone={async () => {
            await graft.value.models.delete(name, { force: true });
            go('models');
          }}
        >
          <p>{w.deleteModelSays(count(model.versions.length))}</p>
        </Confirm>
      )}
    </>
  );
}

function VersionRow({ row, onAsk }: { row: Version; onAsk: (what: { delete: number } | { promote: number }) => void }) {
  const { model, version, accuracy, accuracy_interval, labels, backbone, head, top, created_at, dataset } = row;
  const [low, high] = accuracy_interval ?? [];
  return (
    <tr>
      <th scope="row">
        <a href={to('models', model, 'report', version)}>{version}</a>
      </th>
      <td class="number">{percent(accuracy)}</td>
      <td class="number">
        {low !== undefined && high !== undefined ? `${Math.floor(low * 100)}–${Math.ceil(high * 100)} %` : '–'}
      </td>
      <td class="number">{count(labels.length)}</td>
      <td>
        {backbone.id}
        {top && ` + ${w.blocks(top.blocks)}`}
      </td>
      <td>{head}</td>
      <td>
        <a href={to('data', dataset)}>{w.theData}</a>
      </td>
      <td>{when(created_at)}</td>
      <td class="row">
        <button type="button" class="small" onClick={() => onAsk({ promote: version })}>
          {w.promote}
        </button>
        <button
          type="button"
          class="small quiet"
          aria-label={w.deleteVersion(model, version)}
          onClick={() => onAsk({ delete: version })}
        >
          <Icon name="trash" />
        </button>
      </td>
    </tr>
  );
}

/** An alias is pointed at a version. */
function Promote({
  model,
  version,
  again,
  onClose,
}: {
  model: Model;
  version: number;
  again: () => void;
  onClose: () => void;
}) {
  const [alias, setAlias] = useState(model.aliases[0]?.alias ?? 'production');
  const before = model.aliases.find((one) => one.alias === alias.trim())?.version ?? null;
  return (
    <Confirm
      title={w.promoteTitle(version)}
      action={w.promote}
      onClose={onClose}
      onDone={async () => {
        await graft.value.models.setAlias(model.name, alias.trim(), { version, expected: before });
        again();
      }}
    >
      <label class="field">
        <span>{w.alias}</span>
        <input
          value={alias}
          required
          maxLength={64}
          list="aliases"
          onInput={({ currentTarget }) => setAlias(currentTarget.value)}
        />
      </label>
      <datalist id="aliases">
        {model.aliases.map((one) => (
          <option key={one.alias} value={one.alias} />
        ))}
      </datalist>
      <p class="dim small">{before === null ? w.newAlias : w.movesAlias(before, version)}</p>
    </Confirm>
  );
}

/** Each alias, with the way back. */
function Aliases({ model, again }: { model: Model; again: () => void }) {
  const { name, aliases, versions } = model;
  const move = useAction(async (alias: string, version: number | undefined, expected: number) => {
    const { models } = graft.value;
    if (version === undefined) await models.deleteAlias(name, alias);
    else await models.setAlias(name, alias, { version, expected });
    again();
  });
  if (aliases.length === 0) return <p class="dim">{w.noAliases}</p>;
  return (
    <>
      <ul class="plain rows">
        {aliases.map(({ alias, version }) => {
          // Versions stand newest first.
          const older = versions.find((other) => other < version);
          return (
            <li key={alias} class="row spread">
              <span>
                <b>{alias}</b> → {w.versionNumber(version)}
              </span>
              <span class="row">
                {older !== undefined && (
                  <button
                    type="button"
                    class="small"
                    disabled={move.busy}
                    onClick={() => void move.run(alias, older, version)}
                  >
                    {w.rollBack(older)}
                  </button>
                )}
                <button
                  type="button"
                  class="small quiet"
                  aria-label={w.removeAlias(alias)}
                  disabled={move.busy}
                  onClick={() => void move.run(alias, undefined, version)}
                >
                  <Icon name="trash" />
                </button>
              </span>
            </li>
          );
        })}
      </ul>
      <ErrorNote error={move.error} again={again} />
    </>
  );
}
