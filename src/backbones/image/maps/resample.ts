/**
 * Values on a grid, on a finer one: bilinear; cells are areas, and the edge goes on.
 * @param values `[from.height, from.width]`
 * @returns `[to.height, to.width]`
 */
export function resample(
  values: Float64Array,
  from: { width: number; height: number },
  to: { width: number; height: number },
): Float64Array {
  const columns = steps(from.width, to.width);
  const rows = steps(from.height, to.height);
  const out = new Float64Array(to.width * to.height);
  rows.forEach((row, y) => {
    columns.forEach((column, x) => {
      const at = (j: number, i: number) => values[j * from.width + i]!;
      const above = at(row.low, column.low) * (1 - column.share) + at(row.low, column.high) * column.share;
      const below = at(row.high, column.low) * (1 - column.share) + at(row.high, column.high) * column.share;
      out[y * to.width + x] = above * (1 - row.share) + below * row.share;
    });
  });
  return out;
}

function steps(from: number, to: number): { low: number; high: number; share: number }[] {
  return Array.from({ length: to }, (_, i) => {
    const place = Math.min(from - 1, Math.max(0, ((i + 0.5) * from) / to - 0.5));
    const low = Math.floor(place);
    return { low, high: Math.min(from - 1, low + 1), share: place - low };
  });
}
