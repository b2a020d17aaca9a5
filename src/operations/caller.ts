/** Who asks for something. A transport finds it out from the key of a request. */
export interface Caller {
  /** Whose data is seen and changed. */
  tenant: string;
  /** What stands for the key in lists and records: 16 hexadecimal digits; `local` without keys. */
  by: string;
  /** Of the request, so that lines of a log can be traced back to it. */
  requestId: string;
}

/** One page of a list: `limit` rows at most, after the row `after`, which need not exist. */
export interface PageOf<After = string> {
  limit: number;
  after?: After | undefined;
}
