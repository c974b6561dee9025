/** The adapter's view of a leadership. */
export interface Lead {
  term: number;
  /** False: another pool manager might lead by now. */
  certain(): boolean;
  /** Reports that a write was refused because an object carries a later term. If one does, this leadership ends. */
  challenge(): void;
  release(): Promise<void>;
}
