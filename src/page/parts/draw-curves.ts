import uPlot from 'uplot';

/** Lines over the same steps; a value that is not there is a gap. */
export interface Curves {
  steps: number[];
  lines: { title: string; values: (number | null)[] }[];
  /** What the steps are. */
  stepTitle: string;
}

const HEIGHT = 200;

export function drawCurves(box: HTMLElement, first: Curves): { show(curves: Curves): void; end(): void } {
  // A canvas does not know `light-dark()`: the browser works the colour out for an element.
  const colour = (name: string) => {
    box.style.color = `var(${name})`;
    const { color } = getComputedStyle(box);
    box.style.color = '';
    return color;
  };
  const axis = () => ({
    stroke: () => colour('--dim'),
    grid: { stroke: () => colour('--line') },
    ticks: { show: false },
  });
  const dataOf = ({ steps, lines }: Curves) => [steps, ...lines.map(({ values }) => values)] as uPlot.AlignedData;
  const chart = new uPlot(
    {
      width: box.clientWidth || 300,
      height: HEIGHT,
      scales: { x: { time: false } },
      axes: [
        { ...axis(), label: undefined, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500] },
        { ...axis(), size: 48 },
      ],
      series: [
        { label: first.stepTitle },
        ...first.lines.map(({ title }, place) => ({
          label: title,
          stroke: () => colour(place === 0 ? '--dim' : '--accent'),
          width: 2,
          points: { show: first.steps.length < 12 },
        })),
      ],
      cursor: { y: false },
    },
    dataOf(first),
    box,
  );
  const fit = new ResizeObserver(() => chart.setSize({ width: box.clientWidth, height: HEIGHT }));
  fit.observe(box);
  const scheme = matchMedia('(prefers-color-scheme: dark)');
  const redraw = () => chart.redraw();
  scheme.addEventListener('change', redraw);
  return {
    show: (curves) => chart.setData(dataOf(curves)),
    end() {
      scheme.removeEventListener('change', redraw);
      fit.disconnect();
      chart.destroy();
    },
  };
}
