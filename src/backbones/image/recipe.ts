/** How pixels.ts makes pixels: part of the key of cached features. Change it when what it does changes. */
export const RECIPE = 'pixels-2';
