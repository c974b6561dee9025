/** A guard taken away: one place in one file, found by its text and replaced. */
export interface Mutant {
  name: string;
  file: string;
  find: string;
  replace: string;
  /** Faults that this guard is there for, made more frequent. */
  odds?: Record<string, number>;
  /** Whether it is there for size classes. */
  hasClasses?: boolean;
}
