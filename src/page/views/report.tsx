/** How good a version is, what it takes for what, and what is likely wrong with its data. */
import { useState } from 'preact/hooks';
import type { Model, Report } from '../../client/index.js';
import { count, percent, seconds, when } from '../core/format.js';
import { useLoaded } from '../core/loaded.js';
import { go } from '../core/router.js';
import { graft } from '../core/session.js';
import { Accuracy } from '../parts/accuracy.js';
import { CurvesChart } from '../parts/curves.js';
import { ErrorNote } from '../parts/error-note.js';
import { Photo } from '../parts/photo.js';
import { Scroll } from '../parts/scroll.js';
import { words as w } from '../words/words.js';

/** A matrix of more classes is read by nobody. */
const MATRIX_CLASSES = 20;
const WORST = 5;
const LISTED = 50;
const PHOTOS = 60;

export function ReportView({ model, version }: { model: Model; version: number }) {
  const { name, versions } = model;
  const { value, error, again } = useLoaded(
    async (signal) => {
      const { models } = graft.value;
      const [report, manifest] = await Promise.all([
        models.report(name, { version, signal }),
        models.version(name, version, { signal }),
      ]);
      return { report, manifest };
    },
    [name, version],
  );
  return (
    <>
      {versions.length > 1 && (
        <label class="row">
          <span class="dim">{w.version}</span>
          <select value={version} onChange={({ currentTarget }) => go('models', name, 'report', currentTarget.value)}>
            {versions.map((one) => (
              <option key={one} value={one}>
                {one}
              </option>
            ))}
          </select>
        </label>
      )}
      <ErrorNote error={error} again={again} />
      {value && <Whole {...value} />}
    </>
  );
}

function Whole({ report, manifest }: { report: Report; manifest: Model['latest'] }) {
  const { evaluation, warnings, compared, curves, timings, split, settings } = report;
  return (
    <div class="report">
      <section class="card">
        <Accuracy figures={manifest} />
        {evaluation && <p class="dim">{w.measuredOn[evaluation.on](count(evaluation.examples))}</p>}
        {compared && <p>{w.verdicts[compared.verdict](compared.version, count(compared.examples))}</p>}
        <Advice report={report} />
      </section>
      {warnings.map((warning) => (
        <p key={warning} class="note">
          {warning}
        </p>
      ))}
      {evaluation && <Confusion report={report} version={manifest.version} />}
      {evaluation && <ClassTable report={report} />}
      <Findings report={report} />
      {curves.length > 2 && (
        <section class="card">
          <h2>{w.curves}</h2>
          <CurvesChart
            label={w.curves}
            curves={{
              stepTitle: w.epochTitle,
              steps: curves.map(({ epoch }) => epoch),
              lines: [
                { title: w.trainLoss, values: curves.map(({ train_loss }) => train_loss) },
                { title: w.validationLoss, values: curves.map(({ validation_loss }) => validation_loss) },
              ],
            }}
          />
        </section>
      )}
      <details class="fold">
        <summary>{w.howItWasMade}</summary>
        <p>
          {w.splitCounts(count(split.train), count(split.validation), count(split.test))}{' '}
          {w.tookSeconds(seconds(timings.total_seconds))} {when(report.created_at)}
        </p>
        <pre class="code">{JSON.stringify(settings, null, 2)}</pre>
      </details>
    </div>
  );
}

/** The classes that are told worst. */
export function WorstClasses({ report: { evaluation } }: { report: Report }) {
  const worst = (evaluation?.classes ?? [])
    .filter(({ recall, support }) => recall !== null && recall < 1 && support > 0)
    .sort((a, b) => a.recall! - b.recall!)
    .slice(0, WORST);
  if (worst.length === 0) return null;
  return (
    <>
      <h3>{w.worstClasses}</h3>
      <ul class="plain small">
        {worst.map(({ label, recall, support }) => (
          <li key={label}>
            <b>{label}</b> <span class="dim">{w.rightOf(count(Math.round(recall! * support)), count(support))}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

/** What would help most, the surest first. */
export function Advice({ report: { advice = [] } }: { report: Report }) {
  if (advice.length === 0) return null;
  return (
    <>
      <h3>{w.whatHelps}</h3>
      <ul>
        {advice.map(({ sentence }) => (
          <li key={sentence}>{sentence}</li>
        ))}
      </ul>
    </>
  );
}

interface Cell {
  label: string;
  predicted: string;
}

function Confusion({ report, version }: { report: Report; version: number }) {
  const { labels, matrix } = report.evaluation!.confusion;
  const [open, setOpen] = useState<Cell>();
  const pairs = matrix
    .flatMap((row, truth) =>
      row.map((examples, said) => ({ label: labels[truth]!, predicted: labels[said]!, examples })),
    )
    .filter(({ label, predicted, examples }) => label !== predicted && examples > 0)
    .sort((a, b) => b.examples - a.examples);
  return (
    <section class="card">
      <h2>{w.confusion}</h2>
      {labels.length <= MATRIX_CLASSES ? (
        <Scroll label={w.confusion}>
          <table class="matrix">
            <caption class="dim small">{w.confusionHow}</caption>
            <thead>
              <tr>
                <td />
                {labels.map((label) => (
                  <th key={label} scope="col">
                    <span>{label}</span>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {matrix.map((row, truth) => {
                const all = row.reduce((sum, examples) => sum + examples, 0);
                const label = labels[truth]!;
                return (
                  <tr key={label}>
                    <th scope="row">{label}</th>
                    {row.map((examples, said) => {
                      const predicted = labels[said]!;
                      const share = examples / Math.max(1, all);
                      return (
                        <td key={predicted} class={truth === said ? 'right' : 'wrong'}>
                          {examples === 0 ? (
                            <span class="zero">·</span>
                          ) : (
                            <button
                              type="button"
                              style={{ '--share': `${Math.round(8 + share * 32)}%` }}
                              aria-label={w.cell(label, predicted, count(examples))}
                              aria-pressed={open?.label === label && open.predicted === predicted}
                              onClick={() => setOpen({ label, predicted })}
                            >
                              {count(examples)}
                            </button>
                          )}
                        </td>
                      );
                    })}
                  </tr>
                );
              })}
            </tbody>
          </table>
        </Scroll>
      ) : (
        <ul class="plain pairs">
          {pairs.slice(0, LISTED).map(({ label, predicted, examples }) => (
            <li key={`${label} ${predicted}`}>
              <button type="button" class="small" onClick={() => setOpen({ label, predicted })}>
                {w.cell(label, predicted, count(examples))}
              </button>
            </li>
          ))}
        </ul>
      )}
      {open && <CellPhotos key={`${open.label} ${open.predicted}`} cell={open} report={report} version={version} />}
    </section>
  );
}

/** The photos behind a cell. */
function CellPhotos({ cell, report, version }: { cell: Cell; report: Report; version: number }) {
  const { model, dataset } = report;
  const { label, predicted } = cell;
  const { value, error } = useLoaded(
    (signal) => graft.value.models.heldOut(model, version, { label, predicted, limit: PHOTOS, signal }).page(),
    [model, version, cell],
  );
  return (
    <div role="status">
      <h3>{w.cellTitle(label, predicted)}</h3>
      <ErrorNote error={error} />
      <ul class="plain thumbs large">
        {value?.data.map(({ sha256, name, scores }) => (
          <li key={sha256}>
            <Photo from={{ dataset: dataset.id, sha256 }} name={name} />
            <span class="dim small">{percent(scores.find((one) => one.label === predicted)?.score, 0)}</span>
          </li>
        ))}
      </ul>
      {value?.has_more && <p class="dim small">{w.firstShown(PHOTOS)}</p>}
    </div>
  );
}

function ClassTable({ report }: { report: Report }) {
  const { classes } = report.evaluation!;
  const worstFirst = [...classes].sort((a, b) => (a.f1 ?? 2) - (b.f1 ?? 2));
  return (
    <section class="card">
      <h2>{w.byClass}</h2>
      <Scroll label={w.byClass}>
        <table>
          <caption class="hidden">{w.byClass}</caption>
          <thead>
            <tr>
              <th scope="col">{w.class}</th>
              <th scope="col">{w.tested}</th>
              <th scope="col">{w.precision}</th>
              <th scope="col">{w.recall}</th>
              <th scope="col">F1</th>
              <th scope="col">{w.trainedOn}</th>
            </tr>
          </thead>
          <tbody>
            {worstFirst.slice(0, 200).map(({ label, support, precision, recall, f1, train_examples }) => (
              <tr key={label}>
                <th scope="row">{label}</th>
                <td class="number">{count(support)}</td>
                <td class="number">{percent(precision)}</td>
                <td class="number">{percent(recall)}</td>
                <td class="number">{percent(f1)}</td>
                <td class="number">{count(train_examples)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </section>
  );
}

/** What is likely wrong with the data. */
function Findings({ report: { data } }: { report: Report }) {
  if (!data) return null;
  const { label_errors, near_duplicates, small_classes, confusable_classes, outliers, odd_examples } = data;
  const found = [
    {
      title: w.labelErrors,
      total: label_errors.total,
      lines: label_errors.items.map(({ name, label, suggested, confidence }) =>
        w.labelError(name, label, suggested, percent(confidence, 0)),
      ),
    },
    {
      title: w.copies,
      total: near_duplicates.total,
      lines: near_duplicates.items.map(({ examples }) => examples.map(({ name }) => name).join(' = ')),
    },
    {
      title: w.smallClasses,
      total: small_classes.total,
      lines: small_classes.items.map(({ label, training_examples }) => w.smallClass(label, count(training_examples))),
    },
    {
      title: w.confusable,
      total: confusable_classes.total,
      lines: confusable_classes.items.map(({ labels, share }) =>
        w.confusablePair(labels[0]!, labels[1]!, percent(share, 0)),
      ),
    },
    { title: w.outliers, total: outliers.total, lines: outliers.items.map(({ name, label }) => `${name} (${label})`) },
    {
      title: w.odd,
      total: odd_examples.total,
      lines: odd_examples.items.map(({ name, reason }) => `${name} ${reason}`),
    },
  ].filter(({ total }) => total > 0);
  return (
    <section class="card">
      <h2>{w.findings}</h2>
      {found.length === 0 && <p>{w.nothingFound}</p>}
      {found.map(({ title, total, lines }) => (
        <details key={title} class="fold">
          <summary>
            {title} <span class="badge">{count(total)}</span>
          </summary>
          <ul class="plain small">
            {lines.slice(0, LISTED).map((line) => (
              <li key={line}>{line}</li>
            ))}
            {lines.length < total || lines.length > LISTED ? (
              <li class="dim">{w.andMore(total - Math.min(lines.length, LISTED))}</li>
            ) : null}
          </ul>
        </details>
      ))}
    </section>
  );
}
