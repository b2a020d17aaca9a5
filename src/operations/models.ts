import type { Model, ModelSummary } from '../schemas/versions.js';
import type { Caller, PageOf } from './caller.js';
import type { OperationsDependencies } from './dependencies.js';

/** Models: a name with numbered versions and aliases. */
export function modelOperations({ registry }: Pick<OperationsDependencies, 'registry'>) {
  const describe = async (tenant: string, name: string): Promise<Model> => {
    const [latest, versions, { aliases }] = await Promise.all([
      registry.resolve(tenant, name, 'latest'),
      registry.versions(tenant, name),
      registry.aliases(tenant, name),
    ]);
    return { name, latest, versions, aliases: [...aliases].map(([alias, version]) => ({ alias, version })) };
  };

  return {
    /** By name. */
    list({ caller, ...page }: { caller: Caller } & PageOf): Promise<{ data: ModelSummary[]; has_more: boolean }> {
      return registry.models(caller.tenant, page);
    },

    /** @throws AppError `model_not_found` */
    get({ caller, model }: { caller: Caller; model: string }): Promise<Model> {
      return describe(caller.tenant, model);
    },

    /** With all its versions and aliases. @throws AppError `model_not_found` */
    delete({ caller, model }: { caller: Caller; model: string }): Promise<void> {
      return registry.deleteModel(caller.tenant, model, caller.by);
    },
  };
}
