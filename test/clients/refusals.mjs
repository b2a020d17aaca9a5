// How many early refusals each client loses: `node refusals.mjs ADDRESS KEY [tries]`. A refusal is lost where the client throws
// something other than the answer. Prints JSON: {client, path, megabytes, status, tries, lost, errors}.
import axios from 'axios';
import OpenAI from 'openai';
import { FormData as UndiciForm, request, fetch as undiciFetch } from 'undici';

const [address, tries = '20'] = process.argv.slice(2);
const SIZES = [8 * 1024, 64 * 1024, 1024 ** 2, 8 * 1024 ** 2, 64 * 1024 ** 2];
const fileOf = (bytes) => new File([bytes], 'photos.zip', { type: 'application/zip' });
const form = (bytes, Form = FormData) => {
  const data = new Form();
  data.append('file', fileOf(bytes), 'photos.zip');
  return data;
};

/** Each sends a body that is refused before it is read, and says the status of the answer. */
const CLIENTS = {
  'fetch, form': async (bytes, path) => (await fetch(address + path, { method: 'POST', body: form(bytes) })).status,
  'fetch, raw': async (bytes, path) => (await fetch(address + path, { method: 'POST', body: bytes })).status,
  'axios, form': async (bytes, path) =>
    (await axios.post(address + path, form(bytes), { validateStatus: () => true, maxBodyLength: Infinity })).status,
  'axios, raw': async (bytes, path) =>
    (await axios.post(address + path, bytes, { validateStatus: () => true, maxBodyLength: Infinity })).status,
  'undici, form': async (bytes, path) =>
    (await undiciFetch(address + path, { method: 'POST', body: form(bytes, UndiciForm) })).status,
  'undici, raw': async (bytes, path) => {
    const { statusCode, body } = await request(address + path, { method: 'POST', body: bytes });
    await body.dump();
    return statusCode;
  },
  openai: async (bytes) => {
    const client = new OpenAI({ baseURL: `${address}/v1`, apiKey: 'wrong', maxRetries: 0 });
    try {
      await client.files.create({ file: fileOf(bytes), purpose: 'fine-tune' });
      return 200;
    } catch (error) {
      if (error.status === undefined) throw error;
      return error.status;
    }
  },
};

const rows = [];
for (const size of SIZES) {
  const bytes = Buffer.alloc(size, 7);
  for (const [client, send] of Object.entries(CLIENTS)) {
    const paths = client === 'openai' ? ['/v1/files'] : ['/v1/datasets', '/v1/models/none/predict'];
    for (const path of paths) {
      const row = { client, path, kilobytes: size / 1024, tries: Number(tries), lost: 0, statuses: [], errors: [] };
      for (let n = 0; n < row.tries; n += 1) {
        try {
          const status = await send(bytes, path);
          if (!row.statuses.includes(status)) row.statuses.push(status);
        } catch (error) {
          row.lost += 1;
          const said = String(error.cause?.code ?? error.code ?? error.message);
          if (!row.errors.includes(said)) row.errors.push(said);
        }
      }
      rows.push(row);
    }
  }
}
process.stdout.write(JSON.stringify(rows));
