import { AppError } from '../errors.js';
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
      const { models } = caller;
      return registry.models(caller.tenant, { ...page, ...(models && { keep: (name: string) => models.has(name) }) });
    },

    /** @throws AppError `model_not_found` */
    get({ caller, model }: { caller: Caller; model: string }): Promise<Model> {
      return describe(caller.tenant, model);
    },

    /**
     * With all its versions and aliases.
     * @param options force: also where aliases name it
     * @throws AppError `model_not_found`, `model_in_use`
     */
    async delete({ caller, model, force }: { caller: Caller; model: string; force?: boolean }): Promise<void> {
      const { aliases } = await registry.aliases(caller.tenant, model);
      if (aliases.size > 0 && !force) {
        await registry.resolve(caller.tenant, model, 'latest');
        const names = [...aliases.keys()].map((alias) => `'${alias}'`).join(', ');
        throw new AppError(
          'model_in_use',
          `Model '${model}' has the aliases ${names}: whoever uses them would lose it. Delete them first, or send force=true.`,
        );
      }
      return registry.deleteModel(caller.tenant, model, caller.by);
    },
  };
}
