/** Whether a setting was chosen by the user. */
export const isSet = <T>(value: T | 'auto' | undefined): value is T => value !== undefined && value !== 'auto';
