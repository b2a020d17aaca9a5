/** What a view shows of the service: loaded when it is seen, and given up when it is left. */
import { useEffect, useState } from 'preact/hooks';
import { noted } from './session.js';

export interface Loaded<T> {
  /** Undefined: not there yet. */
  value: T | undefined;
  error: Error | undefined;
  /** Load it again; what is shown stays until then. */
  again: () => void;
}

/**
 * @param load is called anew whenever one of `inputs` changes
 * @param everyMs says when to look again, by what was found; undefined: not by itself
 */
export function useLoaded<T>(
  load: (signal: AbortSignal) => Promise<T>,
  inputs: unknown[],
  everyMs?: (value: T) => number | undefined,
): Loaded<T> {
  const [state, setState] = useState<{ value?: T; error?: Error; of: string }>({ of: '' });
  const [round, setRound] = useState(0);
  const of = JSON.stringify(inputs);
  useEffect(() => {
    const left = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    const look = async () => {
      try {
        const value = await load(left.signal);
        if (left.signal.aborted) return;
        setState({ value, of });
        const ms = everyMs?.(value);
        if (ms !== undefined) timer = setTimeout(look, ms);
      } catch (error) {
        if (left.signal.aborted) return;
        setState((before) => ({ ...(before.of === of ? before : { of }), error: noted(error) }));
        // A service that is gone may come back.
        if (everyMs) timer = setTimeout(look, 3000);
      }
    };
    void look();
    return () => {
      left.abort();
      clearTimeout(timer);
    };
  }, [of, round]);
  const mine = state.of === of;
  return {
    value: mine ? state.value : undefined,
    error: mine ? state.error : undefined,
    again: () => setRound((before) => before + 1),
  };
}

/** Something that is done when a button is pressed: once at a time, with its error. */
export function useAction<A extends unknown[]>(act: (...given: A) => Promise<unknown>) {
  const [state, setState] = useState<{ busy: boolean; error?: Error }>({ busy: false });
  const run = async (...given: A) => {
    if (state.busy) return;
    setState({ busy: true });
    try {
      await act(...given);
      setState({ busy: false });
    } catch (error) {
      setState({ busy: false, error: noted(error) });
    }
  };
  return { run, busy: state.busy, error: state.error };
}
