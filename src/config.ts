/**
 * Every setting, in groups, as one described object. `loadConfig` reads the environment and reports all faults
 * together; `settingsTable` prints the table of docs/settings.md. Only entry points call these.
 */
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { type Static, type TSchema, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { API_KEYS_PATTERN, type ApiKey, parseApiKeys } from './access/api-key.js';
import { AppError } from './errors.js';

const MiB = 2 ** 20;
const GiB = 2 ** 30;

const positive = (description: string, value: number) => Type.Integer({ description, default: value, minimum: 1 });
/** At most what a timer of Node can wait, 2³¹ ms: a longer one ends at once. */
const seconds = (description: string, value: number) =>
  Type.Integer({ description, default: value, minimum: 1, maximum: 2_147_483 });

/** Where the service listens, who may ask, what it logs. */
const service = {
  HOST: Type.String({
    description: 'Address to listen on. Beyond loopback the first start makes an API key, unless there is one.',
    default: '127.0.0.1',
    minLength: 1,
  }),
  PORT: Type.Integer({ description: 'Port; 0 takes a free one.', default: 8080, minimum: 0, maximum: 65535 }),
  API_KEYS: Type.String({
    description:
      'API keys beside those of the key file, as `tenant:sha256` or `tenant:sha256:scope+scope`, separated by commas (`npm run keys -- print` makes one).',
    default: '',
    pattern: API_KEYS_PATTERN,
  }),
  KEYS_FILE: Type.String({
    description:
      'File of the keys that `npm run keys` makes; read again when it changes. Default: `keys.json` in `DATA_DIR`.',
    default: '',
  }),
  ALLOWED_HOSTS: Type.String({
    description:
      'Names, separated by commas, under which a server without keys may be reached beside localhost; `*.example.com` allows all below.',
    default: '',
    pattern: '^[A-Za-z0-9.*:\\[\\]_, -]*$',
  }),
  CORS_ORIGINS: Type.String({
    description: 'Origins, separated by commas, whose pages may call this server, such as `https://app.example.com`.',
    default: '',
    pattern: '^(\\s*https?://[^/,\\s@]+\\s*(,|$))*$',
  }),
  BASE_PATH: Type.String({
    description: 'Path under which a proxy shows this server, such as `/graft`; links begin with it.',
    default: '',
    pattern: '^(/[A-Za-z0-9._~-]+)*$',
  }),
  LOG_LEVEL: Type.Union(
    (['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const).map((level) => Type.Literal(level)),
    { description: 'Least level that is logged (trace, debug, info, warn, error, fatal, silent).', default: 'info' },
  ),
  REDIS_URL: Type.String({
    description: 'Redis for the job queue, `redis://…`, `rediss://…` or `unix:///…`. Default: `npm start` runs one.',
    default: '',
    pattern: '^((rediss?|unix)://.+)?$',
  }),
  MAX_CONNECTIONS: positive('Most connections that one server keeps open; more are closed at once.', 10_000),
  MAX_HEADER_BYTES: Type.Integer({
    description: 'Largest headers of a request, all together.',
    default: 16 * 1024,
    minimum: 1024,
    maximum: MiB,
  }),
  MAX_DROPPED_BYTES: positive(
    'Most bytes of a body that are read on and dropped after it was refused, so that the client hears why.',
    128 * MiB,
  ),
  HEADERS_TIMEOUT_SECONDS: seconds('Longest time the headers of a request may take to arrive.', 20),
  STALL_TIMEOUT_SECONDS: seconds('Longest time a body may go without a byte before its request is answered 408.', 60),
  KEEP_ALIVE_SECONDS: seconds('Time an idle connection is kept open; longer than that of a proxy in front.', 72),
  REQUEST_TIMEOUT_SECONDS: seconds('Longest time a request may take to arrive.', 3600),
  SHUTDOWN_SECONDS: seconds('Longest time to finish open requests when stopping.', 20),
};

/** Where data lie, and how long they stay. */
const storage = {
  DATA_DIR: Type.String({
    description: 'Folder for data sets, jobs and models: all that is worth a backup.',
    default: 'data',
    minLength: 1,
  }),
  CACHE_DIR: Type.String({
    description:
      'Folder for cached features, copies of installed backbones and interrupted downloads; safe to delete. Default: `cache/` in `DATA_DIR`.',
    default: '',
  }),
  FEATURE_CACHE_BYTES: positive('Size at which the feature cache is emptied and starts anew.', 20 * GiB),
  DATASET_RETENTION_DAYS: Type.Integer({
    description: 'Age at which a data set is deleted, unless a job that has not ended needs it. 0: never.',
    default: 0,
    minimum: 0,
    maximum: 36_500,
  }),
  JOB_RETENTION_DAYS: Type.Integer({
    description: 'Time after its end at which a job is deleted; its version stays. 0: never.',
    default: 0,
    minimum: 0,
    maximum: 36_500,
  }),
};

/** Which backbones there are, and what they run on. */
const backbones = {
  MODELS_DIR: Type.String({
    description:
      'Folder of the backbones that Graft comes with, and of `catalog.json`, which says what can be pulled; it is only read. Default: `models/` of Graft.',
    default: '',
  }),
  BACKBONE_MIRROR: Type.String({
    description: 'Address from which backbones are pulled instead of `https://huggingface.co`.',
    default: '',
    pattern: '^(https?://[^@?#\\s]+)?$',
  }),
  ALLOW_PULL: Type.Union(
    (['auto', 'true', 'false'] as const).map((allowed) => Type.Literal(allowed)),
    {
      description:
        'Whether public networks can be pulled over the API (auto, true, false); auto: on this machine without keys, and with the key that the first start made.',
      default: 'auto',
    },
  ),
  DEFAULT_TEXT_BACKBONE: Type.String({
    description: 'Backbone of a job on texts that names none.',
    default: 'ngrams',
    minLength: 1,
  }),
  DEFAULT_BACKBONE: Type.String({
    description:
      'Backbone of a job that names none. Where it is empty: the one that the first start or `backbones pull ID --default` chose, else `rootstock_s`.',
    default: '',
  }),
  EXECUTION_PROVIDER: Type.Union(
    (['auto', 'cpu', 'cuda', 'webgpu'] as const).map((provider) => Type.Literal(provider)),
    {
      description: 'What backbones run on (auto, cpu, cuda, webgpu); auto: CUDA where it is installed, else the CPU.',
      default: 'auto',
    },
  ),
  BACKBONE_THREADS: Type.Integer({
    description: 'Cores for the backbone, shared out between sessions; 0: all.',
    default: 0,
    minimum: 0,
    maximum: 256,
  }),
};

/** Predictions: batches, queue, memory. */
const prediction = {
  PREDICT_BATCH: Type.Integer({
    description: 'Most examples in one pass of the backbone when predicting; 0: 2 on a CPU, 32 on a GPU.',
    default: 0,
    minimum: 0,
    maximum: 1024,
  }),
  PREDICT_QUEUE: positive(
    'Most examples waiting for a prediction, of one tenant of several at most half; beyond that requests are answered 429.',
    512,
  ),
  HEAD_CACHE_BYTES: positive('Memory for the heads of recently used models.', 512 * MiB),
  MAX_PREDICT_BYTES: positive('Largest body of a prediction.', 64 * MiB),
  MAX_PREDICT_EXAMPLES: positive('Most examples in one prediction request.', 256),
  PREDICT_MEMORY_BYTES: positive(
    'Most bytes of prediction bodies in memory at once; beyond that requests are answered 429.',
    GiB,
  ),
};

/** Jobs and the processes that run them. */
const jobs = {
  WORKER_CONCURRENCY: Type.Integer({
    description: 'Jobs that one worker runs at once.',
    default: 1,
    minimum: 1,
    maximum: 64,
  }),
  JOB_NICE: Type.Integer({
    description: 'How far jobs stand back for predictions on the same cores; 0: not at all, 19: as far as they can.',
    default: 10,
    minimum: 0,
    maximum: 19,
  }),
  JOB_ATTEMPTS: Type.Integer({
    description: 'Times a job is started again after its process died.',
    default: 3,
    minimum: 1,
    maximum: 20,
  }),
  JOB_TIMEOUT_SECONDS: seconds('Longest time one job may run.', 6 * 3600),
  JOB_WARM_SECONDS: Type.Integer({
    minimum: 0,
    maximum: 3600,
    default: 30,
    description:
      'How long the process of a job that is done waits for the next job of the same tenant, which then starts at once; 0: not at all.',
  }),
  JOB_MEMORY_MB: positive('JavaScript heap of the process that runs a job.', 4096),
};

/** What one upload or body may hold. */
const uploads = {
  MAX_UPLOAD_BYTES: positive('Largest archive.', 16 * GiB),
  MAX_ARCHIVE_ENTRIES: positive('Most files in one archive.', 500_000),
  MAX_ARCHIVE_RATIO: positive('Most times an archive may grow when unpacked; beyond 64 MiB.', 200),
  MAX_CLASSES: positive('Most classes of one data set.', 10_000),
  UNPACK_CONCURRENCY: positive('Archives unpacked at once by one server; more wait.', 4),
  MAX_EXAMPLE_BYTES: positive('Largest file of one example.', 64 * MiB),
  MAX_TEXT_BYTES: positive('Largest text of one example.', MiB),
  MAX_IMAGE_PIXELS: positive('Largest image, width times height.', 50_000_000),
  MAX_JSON_BYTES: positive('Largest JSON body of any other request.', MiB),
  MAX_FORM_FIELDS: positive('Most fields of a form beside its files.', 50),
  MAX_FIELD_BYTES: positive('Largest field of a form.', MiB / 4),
};

/** What one tenant or key may have. */
const quotas = {
  RATE_LIMIT_PER_SECOND: Type.Integer({
    description:
      'Most requests a second of one API key, over 10 s and all servers together; beyond that they are answered 429. 0: no limit.',
    default: 1000,
    minimum: 0,
  }),
  MAX_DATASETS: positive('Most data sets of one tenant.', 10_000),
  MAX_TENANT_BYTES: Type.Integer({
    description: 'Most bytes that data sets and versions of one tenant take on disk. 0: no limit.',
    default: 0,
    minimum: 0,
  }),
  MAX_MODELS: positive('Most models of one tenant.', 10_000),
  MAX_OPEN_JOBS: positive('Most jobs of one tenant that have not ended.', 1000),
  MAX_EVENT_STREAMS: positive('Most streams of events of one tenant that one server keeps open.', 100),
};

/** Names are environment variables. An empty default means: not set. */
export const ConfigSchema = Type.Object(
  { ...service, ...storage, ...backbones, ...prediction, ...jobs, ...uploads, ...quotas },
  { additionalProperties: false },
);

type Settings = Static<typeof ConfigSchema>;

/** The settings, with paths made absolute and lists taken apart. */
export type Config = Omit<Settings, 'API_KEYS' | 'ALLOWED_HOSTS' | 'CORS_ORIGINS'> & {
  API_KEYS: ApiKey[];
  ALLOWED_HOSTS: string[];
  CORS_ORIGINS: string[];
};

/** Folder of the package: where `package.json` and `models/` are, whether run from `build/` or elsewhere. */
export const PACKAGE_ROOT = resolve(import.meta.dirname, '..', '..');

/** Whether an address to listen on can be reached from this machine alone. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1)$/.test(host);
}

/**
 * Read the settings from the environment.
 * @throws AppError `config_invalid` that lists every fault, one a line.
 */
export function loadConfig(env: NodeJS.ProcessEnv): Config {
  const faults: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries<TSchema>(ConfigSchema.properties)) {
    const text = env[name]?.trim();
    const value = text === undefined || text === '' ? schema.default : read(schema, text);
    if (Value.Check(schema, value)) values[name] = value;
    else faults.push(`${name}=${shown(name, text)}: ${expectation(schema)}. ${schema.description}`);
  }
  const settings = values as Settings;
  if (settings.PREDICT_QUEUE < settings.MAX_PREDICT_EXAMPLES) {
    faults.push(
      `PREDICT_QUEUE=${settings.PREDICT_QUEUE}: a request of MAX_PREDICT_EXAMPLES=${settings.MAX_PREDICT_EXAMPLES} could never be taken. Raise PREDICT_QUEUE or lower MAX_PREDICT_EXAMPLES.`,
    );
  }
  if (faults.length > 0) {
    throw new AppError('config_invalid', `These settings are not valid:\n${faults.map((f) => `  ${f}`).join('\n')}`, {
      details: { faults },
    });
  }
  const dataDir = resolve(settings.DATA_DIR);
  return {
    ...settings,
    DATA_DIR: dataDir,
    MODELS_DIR: settings.MODELS_DIR === '' ? join(PACKAGE_ROOT, 'models') : resolve(settings.MODELS_DIR),
    CACHE_DIR: settings.CACHE_DIR === '' ? join(dataDir, 'cache') : resolve(settings.CACHE_DIR),
    BACKBONE_THREADS: settings.BACKBONE_THREADS === 0 ? availableParallelism() : settings.BACKBONE_THREADS,
    KEYS_FILE: settings.KEYS_FILE === '' ? join(dataDir, 'keys.json') : resolve(settings.KEYS_FILE),
    API_KEYS: parseApiKeys(settings.API_KEYS),
    ALLOWED_HOSTS: words(settings.ALLOWED_HOSTS.toLowerCase()),
    CORS_ORIGINS: words(settings.CORS_ORIGINS.toLowerCase()),
  };
}

/**
 * Names in an environment that look like a setting and are none: what is misspelt has no effect, and nobody would hear of it.
 * @returns a sentence each
 */
export function unknownSettings(env: NodeJS.ProcessEnv): string[] {
  const known = Object.keys(ConfigSchema.properties);
  return Object.keys(env).flatMap((name) => {
    const plain = name.toUpperCase().replace(/^GRAFT_/, '');
    if (known.includes(name) || OTHER_NAMES.has(name)) return [];
    const meant =
      known.find((other) => other === plain && name !== plain) ??
      (plain.length >= MIN_LENGTH ? known.find((other) => distance(plain, other) <= 2) : undefined);
    return meant === undefined ? [] : [`${name} is no setting and has no effect; ${meant} is one.`];
  });
}

/** Names that belong to Graft's clients, and not to the service. */
const OTHER_NAMES = new Set(['GRAFT_URL', 'GRAFT_KEY', 'host', 'port']);
/** Shorter names are like too many others. */
const MIN_LENGTH = 8;

/** Letters that must be changed, added or taken away to make one word of the other (Levenshtein). */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, i) => i);
  for (const [i, letter] of [...one].entries()) {
    const next = [i + 1];
    for (const [j, second] of [...other].entries()) {
      next.push(Math.min(row[j]! + Number(letter !== second), row[j + 1]! + 1, next[j]! + 1));
    }
    row = next;
  }
  return row[other.length]!;
}

function words(list: string): string[] {
  return list
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}

/** The table of settings, in Markdown. */
export function settingsTable(): string {
  const rows = Object.entries<TSchema>(ConfigSchema.properties).map(([name, schema]) => {
    const value = schema.default === '' ? '' : `\`${schema.default}\``;
    return `| \`${name}\` | ${value} | ${schema.description} |`;
  });
  return ['| setting | default | what it does |', '|---|---|---|', ...rows].join('\n');
}

/** Whole numbers in plain digits only: TypeBox's own conversion would read 1e9 as 1. */
function read(schema: TSchema, text: string): unknown {
  return schema.type === 'integer' && /^-?\d+$/.test(text) ? Number(text) : text;
}

function expectation(schema: TSchema): string {
  if (schema.type === 'integer') {
    const range = [schema.minimum, schema.maximum].map((bound) => bound ?? '…').join(' to ');
    return `expected a whole number, ${range}`;
  }
  if (schema.anyOf) return `expected one of ${schema.anyOf.map((option: TSchema) => option.const).join(', ')}`;
  return 'this is not of the form that is expected';
}

/** A fault message repeats the value, except for secrets. */
function shown(name: string, text: string | undefined): string {
  return name === 'API_KEYS' || name === 'REDIS_URL' ? '…' : JSON.stringify(text);
}
