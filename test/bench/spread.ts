/** Mean and deviation of shares, in percent; the deviation only where there are several. */
export function spread(shares: number[]): string {
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  const variance = shares.reduce((sum, share) => sum + (share - mean) ** 2, 0) / Math.max(1, shares.length - 1);
  const percent = (share: number) => (100 * share).toFixed(1);
  return shares.length === 1 ? percent(mean) : `${percent(mean)} ± ${percent(Math.sqrt(variance))}`;
}
