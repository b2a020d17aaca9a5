import { createHash } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { DatasetId } from '../schemas/common.js';
import { Dataset, type Example } from '../schemas/datasets.js';
import type { Storage } from '../storage/contract.js';
import type { Findings } from './finding.js';
import { ageOf, readChecked } from './stored-files.js';

const ID = new RegExp(DatasetId.pattern!);
const FILES = ['pack', 'index.ndjson', 'manifest.json'];
const MAX_NAMES = 5;

/** Every data set of a tenant: manifest against schema, index against manifest, every content against its digest. */
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
      await findings.add(
        'dataset_unfinished',
        folder,
        'An upload or a deletion that never ended left this behind; nobody sees it.',
        {
          done: 'It was deleted.',
          apply: async () => {
            if (!(await storage.head(`${folder}/manifest.json`))) await storage.delete(folder);
          },
        },
      );
      continue;
    }
    findings.count('datasets');
    const faults = 'fault' in manifest ? [`manifest.json is not valid (${manifest.fault})`] : [];
    const [index, size] = await Promise.all([storage.get(`${folder}/index.ndjson`), storage.head(`${folder}/pack`)]);
    if (!index) faults.push('index.ndjson is missing');
    if (!size) faults.push('pack is missing');
    const examples = index ? parseIndex(await text(index.stream)) : undefined;
    if (index && !examples) faults.push('index.ndjson cannot be read');
    if (examples && 'value' in manifest && examples.length !== manifest.value.examples) {
      faults.push(
        `index.ndjson names ${examples.length} examples where the manifest counts ${manifest.value.examples}`,
      );
    }
    if (size && 'value' in manifest && size.bytes !== manifest.value.stored_bytes) {
      faults.push(`pack has ${size.bytes} bytes where the manifest counts ${manifest.value.stored_bytes}`);
    }
    if (examples && size) faults.push(...(await packFaults(storage, `${folder}/pack`, examples)));
    findings.count('examples', examples?.length ?? 0);
    // It may have been deleted while it was read.
    if (faults.length > 0 && (await storage.head(`${folder}/manifest.json`))) {
      await findings.add(
        'dataset_damaged',
        folder,
        `${faults.join('; ')}. Jobs on this data set would fail or learn from damaged examples: restore the folder from a backup, or upload the archive again.`,
      );
    }
    for (const name of await storage.list(folder)) {
      if (!FILES.includes(name)) {
        await findings.add('unknown_file', `${folder}/${name}`, 'Nothing of Graft reads this file.');
      }
    }
  }
}

function parseIndex(lines: string): Example[] | undefined {
  try {
    const examples = lines
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Example);
    return examples.every(isSound) ? examples : undefined;
  } catch {
    return undefined;
  }
}

function isSound({ offset, bytes, sha256, labels, conflict }: Example): boolean {
  return (
    Number.isSafeInteger(offset) &&
    offset >= 0 &&
    Number.isSafeInteger(bytes) &&
    bytes > 0 &&
    typeof sha256 === 'string' &&
    Array.isArray(labels) &&
    labels.length > 0 &&
    labels.every((label) => typeof label === 'string') &&
    (conflict === true) === labels.length > 1
  );
}

/** Hash the pack in one pass. Contents lie one after another; between them may lie what was taken and got no label. */
async function packFaults(storage: Storage, key: string, examples: Example[]): Promise<string[]> {
  const places = [...examples].sort((a, b) => a.offset - b.offset);
  const overlap = places.findIndex(({ offset }, i) => i > 0 && offset < places[i - 1]!.offset + places[i - 1]!.bytes);
  if (overlap !== -1) return [`index.ndjson and pack do not fit together at '${places[overlap]!.name}'`];
  const object = await storage.get(key);
  if (!object) return ['pack is missing'];
  const damaged: string[] = [];
  let at = 0;
  let position = 0;
  let hash = createHash('sha256');
  for await (const chunk of object.stream as AsyncIterable<Buffer>) {
    const end = position + chunk.length;
    for (let place = places[at]; place && place.offset < end; place = places[at]) {
      const placeEnd = place.offset + place.bytes;
      hash.update(chunk.subarray(Math.max(place.offset, position) - position, Math.min(placeEnd, end) - position));
      if (placeEnd > end) break;
      if (hash.digest('hex') !== place.sha256) damaged.push(place.name);
      hash = createHash('sha256');
      at += 1;
    }
    position = end;
  }
  const faults: string[] = [];
  if (damaged.length > 0) {
    const shown = damaged.slice(0, MAX_NAMES).map((name) => JSON.stringify(name));
    const more = damaged.length > shown.length ? ` and ${damaged.length - shown.length} more` : '';
    faults.push(`the bytes of ${shown.join(', ')}${more} do not have their digest`);
  }
  if (at < places.length) faults.push(`pack is cut off: ${places.length - at} examples are missing`);
  return faults;
}
