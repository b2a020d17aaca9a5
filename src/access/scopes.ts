/**
 * access/ says who a key belongs to, what it may do, and when it was last used. Where in a request a key is found, and how it
 * is refused, is a dialect's (http/).
 *
 * This file: what keys may do.
 */

/** Scopes of keys, in the order in which they are shown. None holds another. */
export const SCOPES = {
  predict: 'classify with models',
  read: 'look at data sets, jobs and models, and download models',
  train: 'upload data sets, train, cancel jobs',
  admin: 'move aliases; delete data sets, models and versions',
  operator: 'what concerns all tenants, such as metrics',
} as const;

export type Scope = keyof typeof SCOPES;

export const ALL_SCOPES = Object.keys(SCOPES) as Scope[];

/** What a key may do that is told nothing else: everything within its tenant. */
export const TENANT_SCOPES: Scope[] = ['predict', 'read', 'train', 'admin'];
