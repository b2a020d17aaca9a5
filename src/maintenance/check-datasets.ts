import { createHash } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { DatasetId } from '../schemas/common.js';
import { Dataset, type DatasetEntry } from '../schemas/datasets.js';
import type { Storage } from '../storage/contract.js';
import type { Findings } from './finding.js';
import { ageOf, readChecked } from './stored-files.js';

const ID = new RegExp(DatasetId.pattern!);
const FILES = ['pack', 'index.ndjson', 'manifest.json'];
const MAX_NAMES = 5;

/** Every data set of a tenant: manifest against schema, index against manifest, every image against its digest. */
export async function checkDatasets(options: {
  storage: Storage;
  tenant: string;
  findings: Findings;
  olderThanMs: number;
}): Promise<void> {
  const { storage, tenant, findings, olderThanMs } = options;
  const home = `tenants/${tenant}/datasets`;
  for (const id of await storage.list(home)) {
    const folder = `${home}/${id}`;
    if (!ID.test(id)) {
      await findings.add('unknown_file', folder, 'This is no data set. Nothing of Graft reads it.');
      continue;
    }
    const manifest = await readChecked(storage, `${folder}/manifest.json`, Dataset);
    if ('missing' in manifest) {
      const names = await storage.list(folder);
      const age = await ageOf(
        storage,
        names.map((name) => `${folder}/${name}`),
      );
      if (age === undefined || age < olderThanMs) continue; // it is being uploaded
      await findings.add('dataset_unfinished', folder, 'An upload that never ended left this behind; nobody sees it.', {
        done: 'It was deleted.',
        apply: async () => {
          if (!(await storage.head(`${folder}/manifest.json`))) await storage.delete(folder);
        },
      });
      continue;
    }
    findings.count('datasets');
    const faults = 'fault' in manifest ? [`manifest.json is not valid (${manifest.fault})`] : [];
    const [index, size] = await Promise.all([storage.get(`${folder}/index.ndjson`), storage.head(`${folder}/pack`)]);
    if (!index) faults.push('index.ndjson is missing');
    if (!size) faults.push('pack is missing');
    const entries = index ? parseIndex(await text(index.stream)) : undefined;
    if (index && !entries) faults.push('index.ndjson cannot be read');
    if (entries && 'value' in manifest && entries.length !== manifest.value.examples) {
      faults.push(`index.ndjson names ${entries.length} images where the manifest counts ${manifest.value.examples}`);
    }
    if (entries && size) faults.push(...(await packFaults(storage, `${folder}/pack`, entries)));
    findings.count('examples', entries?.length ?? 0);
    // It may have been deleted while it was read.
    if (faults.length > 0 && (await storage.head(`${folder}/manifest.json`))) {
      await findings.add(
        'dataset_damaged',
        folder,
        `${faults.join('; ')}. Jobs on this data set would fail or learn from damaged images: restore the folder from a backup, or upload the photos again.`,
      );
    }
    for (const name of await storage.list(folder)) {
      if (!FILES.includes(name)) {
        await findings.add('unknown_file', `${folder}/${name}`, 'Nothing of Graft reads this file.');
      }
    }
  }
}

function parseIndex(lines: string): DatasetEntry[] | undefined {
  try {
    const entries = lines
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as DatasetEntry);
    const sound = entries.every(
      ({ offset, bytes, sha256, label }) =>
        Number.isSafeInteger(offset) &&
        offset >= 0 &&
        Number.isSafeInteger(bytes) &&
        bytes > 0 &&
        typeof sha256 === 'string' &&
        typeof label === 'string',
    );
    return sound ? entries : undefined;
  } catch {
    return undefined;
  }
}

/** Hash the pack in one pass: images lie one after another, and equal ones are there once. */
async function packFaults(storage: Storage, key: string, entries: DatasetEntry[]): Promise<string[]> {
  const places = [...new Map(entries.map((entry) => [entry.offset, entry])).values()].sort(
    (a, b) => a.offset - b.offset,
  );
  const gap = places.findIndex(
    ({ offset }, i) => offset !== (i === 0 ? 0 : places[i - 1]!.offset + places[i - 1]!.bytes),
  );
  if (gap !== -1) return [`index.ndjson and pack do not fit together at '${places[gap]!.name}'`];
  const object = await storage.get(key);
  if (!object) return ['pack is missing'];
  const damaged: string[] = [];
  let at = 0;
  let hash = createHash('sha256');
  let left = places[0]?.bytes ?? 0;
  let beyond = 0;
  for await (const chunk of object.stream as AsyncIterable<Buffer>) {
    let start = 0;
    while (start < chunk.length && at < places.length) {
      const piece = chunk.subarray(start, start + left);
      hash.update(piece);
      start += piece.length;
      left -= piece.length;
      if (left > 0) continue;
      if (hash.digest('hex') !== places[at]!.sha256) damaged.push(places[at]!.name);
      at += 1;
      hash = createHash('sha256');
      left = places[at]?.bytes ?? 0;
    }
    beyond += chunk.length - start;
  }
  const faults: string[] = [];
  if (damaged.length > 0) {
    const shown = damaged.slice(0, MAX_NAMES).map((name) => JSON.stringify(name));
    const more = damaged.length > shown.length ? ` and ${damaged.length - shown.length} more` : '';
    faults.push(`the bytes of ${shown.join(', ')}${more} do not have their digest`);
  }
  if (at < places.length) faults.push(`pack is cut off: ${places.length - at} images are missing`);
  if (beyond > 0) faults.push(`pack has ${beyond} bytes that no image owns`);
  return faults;
}
