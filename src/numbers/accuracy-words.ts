/** How often a version is right, and how sure that is. */
export interface AccuracyFigures {
  accuracy: number;
  /** 95 % interval of the accuracy. */
  accuracy_interval?: number[] | undefined;
  /** What always answering the most frequent class would get. */
  baseline_accuracy?: number | undefined;
}

/** `83.1 % (95 % interval 75 to 89 %; guessing gets 50 %)` */
export function accuracyWords({ accuracy, accuracy_interval, baseline_accuracy }: AccuracyFigures): string {
  const [low, high] = accuracy_interval ?? [];
  const more = [
    ...(low === undefined || high === undefined
      ? []
      : [`95 % interval ${Math.floor(low * 100)} to ${Math.ceil(high * 100)} %`]),
    ...(baseline_accuracy === undefined ? [] : [`guessing gets ${(baseline_accuracy * 100).toFixed(0)} %`]),
  ];
  return `${percentOf(accuracy)}${more.length > 0 ? ` (${more.join('; ')})` : ''}`;
}

/** `83.1 %` */
export function percentOf(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
