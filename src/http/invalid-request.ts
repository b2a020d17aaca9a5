import type { ErrorObject } from 'ajv';
import { AppError } from '../errors.js';

/** A body of a megabyte can hold a hundred thousand faults; an answer names the first. */
const MAX_FAULTS = 50;

/** One sentence for all faults of a request, and each by itself in `errors`. */
export function invalidRequest(errors: ErrorObject[], where: string): AppError {
  const faults = new Map<string, string>();
  const branched = errors.filter(({ keyword }) => keyword === 'anyOf').map(({ instancePath }) => instancePath);
  const isInside = (error: ErrorObject, path: string) =>
    error.instancePath.startsWith(`${path}/`) ||
    (error.instancePath === path && error.keyword === 'additionalProperties');
  // The branches of an anyOf each complain. A fault inside of one of them says most; else the anyOf says what is allowed.
  const explained = new Set(branched.filter((path) => errors.some((error) => isInside(error, path))));
  for (const error of errors) {
    const { instancePath, keyword } = error;
    const says = branched
      .filter((path) => instancePath === path || instancePath.startsWith(`${path}/`))
      .every((path) => (explained.has(path) ? isInside(error, path) : keyword === 'anyOf'));
    if (says) faults.set(pathOf(error), wordsOf(error));
  }
  const all = [...faults].map(([path, reason]) => ({ path: path || where, reason }));
  const list = all.slice(0, MAX_FAULTS);
  if (all.length > list.length) list.push({ path: where, reason: `has ${all.length - list.length} more faults` });
  const sentence = list.map(({ path, reason }) => `${path} ${reason}`).join('; ');
  return new AppError('invalid_request', `${where}: ${sentence}.`, { details: { errors: list } });
}

function pathOf({ instancePath, keyword, params }: ErrorObject): string {
  const path = instancePath.slice(1).replaceAll('/', '.');
  const extra = keyword === 'required' ? params.missingProperty : params.additionalProperty;
  return [path, extra].filter((part) => part !== undefined && part !== '').join('.');
}

interface Shape {
  const?: unknown;
  enum?: unknown[];
  type?: string;
  anyOf?: Shape[];
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
  description?: string;
}

function wordsOf({ keyword, params, message, parentSchema }: ErrorObject): string {
  switch (keyword) {
    case 'required':
      return 'is missing';
    case 'additionalProperties':
      return 'is not known here';
    case 'enum':
      return `must be one of ${params.allowedValues.map((value: unknown) => JSON.stringify(value)).join(', ')}`;
    case 'anyOf':
      return `must be ${shapeWords(parentSchema as Shape)}`;
    case 'pattern': {
      const { description } = parentSchema as Shape;
      return description ? `is not valid (${description})` : (message ?? 'is not valid');
    }
    default:
      return message ?? 'is not valid';
  }
}

function shapeWords(shape: Shape): string {
  if (shape.anyOf) return shape.anyOf.map(shapeWords).join(' or ');
  if (shape.const !== undefined) return JSON.stringify(shape.const);
  if (shape.enum) return shape.enum.map((value) => JSON.stringify(value)).join(' or ');
  const from = shape.minimum !== undefined && `from ${shape.minimum}`;
  const range = [
    from || (shape.exclusiveMinimum !== undefined && `above ${shape.exclusiveMinimum}`),
    shape.maximum !== undefined && `to ${shape.maximum}`,
  ];
  return [
    shape.type === 'integer'
      ? 'a whole number'
      : `${shape.type === 'object' || shape.type === 'array' ? 'an' : 'a'} ${shape.type}`,
    ...range.filter(Boolean),
  ].join(' ');
}
