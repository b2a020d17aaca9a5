import type { Model } from '../schemas/versions.js';
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
    async list({ caller, limit, after }: { caller: Caller } & PageOf): Promise<{ data: Model[]; has_more: boolean }> {
      const { tenant } = caller;
      const names = await registry.models(tenant, { most: limit + 1, ...(after !== undefined && { after }) });
      const page = names.slice(0, limit);
      return {
        data: await Promise.all(page.map((name) => describe(tenant, name))),
        has_more: names.length > page.length,
      };
    },

    /** @throws AppError `model_not_found` */
    get({ caller, model }: { caller: Caller; model: string }): Promise<Model> {
      return describe(caller.tenant, model);
    },

    /** With all its versions and aliases. @throws AppError `model_not_found` */
    delete({ caller, model }: { caller: Caller; model: string }): Promise<void> {
      return registry.deleteModel(caller.tenant, model);
    },
  };
}
