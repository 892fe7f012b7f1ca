/** Replaces the module `react` in the build (`vite.config.ts`): Preact, with the one function that it lacks. */

export * from "preact/compat";
export { default } from "preact/compat";

/**
 * React Router calls it for a state that is shown during a transition. Preact has no transitions: it renders each update.
 *
 * @template T
 * @param {T} value
 * @returns {[T, (next: T) => void]}
 */
export function useOptimistic(value) {
  return [value, () => {}];
}
