import { AXES } from './axes.js';
import type { Operator } from './contract.js';
import { LAYERS } from './layers.js';
import { POINTWISE } from './pointwise.js';
import { WINDOWS } from './windows.js';

/** The operators of ONNX that a top may be made of, by name. */
export const OPERATORS = new Map<string, Operator>(Object.entries({ ...AXES, ...LAYERS, ...POINTWISE, ...WINDOWS }));
