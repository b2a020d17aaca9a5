/** The settings of a job that follows the recipe of test/training/recipe.test.ts. */
export const RECIPE = {
  head: 'mlp' as const,
  trainable: 'top' as const,
  hyperparameters: {
    trainable_blocks: 1,
    hidden_units: [512, 512],
    dropout: 0.3,
    epochs: 8,
    batch_size: 32,
    learning_rate_schedule: 'plateau' as const,
    early_stopping: 0,
    augmentation: { copies: 1, shear: 0.2, zoom: 0.2, flip: true, crop: 0, rotation: 0 },
  },
};
