import { AppError } from '../errors.js';
import type { Alias } from '../schemas/versions.js';
import type { Caller } from './caller.js';
import type { OperationsDependencies } from './dependencies.js';

interface OneAlias {
  caller: Caller;
  model: string;
  alias: string;
}

/** Aliases: names that point at a version, such as `production`. */
export function aliasOperations({ registry }: Pick<OperationsDependencies, 'registry'>) {
  return {
    /**
     * Promote and roll back.
     * @param options expected: the version it must point at now (null: none); undefined: whatever it is
     * @throws AppError `invalid_request` for `latest`; `alias_conflict`, `version_not_found`, `model_not_found`
     */
    async set({
      caller,
      model,
      alias,
      version,
      expected,
    }: OneAlias & { version: number; expected?: number | null | undefined }): Promise<Alias> {
      if (alias === 'latest') {
        throw new AppError('invalid_request', "The alias 'latest' is always the newest version and cannot be set.");
      }
      const { previous } = await registry.setAlias({
        tenant: caller.tenant,
        model,
        alias,
        version,
        ...(expected !== undefined && { expected }),
        by: caller.by,
      });
      return { alias, version, previous };
    },

    /** @throws AppError `alias_not_found`, `model_not_found` */
    async delete({ caller, model, alias }: OneAlias): Promise<void> {
      await registry.setAlias({ tenant: caller.tenant, model, alias, version: null, by: caller.by });
    },
  };
}
