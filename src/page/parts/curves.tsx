import { useEffect, useRef } from 'preact/hooks';
import type { Curves } from './draw-curves.js';

/** Curves that move; what draws them comes when there are some to draw. */
export function CurvesChart({ curves, label }: { curves: Curves; label: string }) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<{ show(curves: Curves): void; end(): void } | undefined>(undefined);
  const latest = useRef(curves);
  latest.current = curves;
  useEffect(() => {
    let left = false;
    void import('./draw-curves.js').then(({ drawCurves }) => {
      if (!left && box.current) chart.current = drawCurves(box.current, latest.current);
    });
    return () => {
      left = true;
      chart.current?.end();
    };
  }, []);
  useEffect(() => chart.current?.show(curves), [curves]);
  return <div class="chart" ref={box} role="img" aria-label={label} />;
}
