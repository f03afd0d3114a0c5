/** What on this page is typed and not saved, as `UnsavedGuard` says: whoever would take the page away asks here first. */
const forms = new Set<object>();
const watchers = new Set<() => void>();

function tell() {
  for (const watcher of watchers) watcher();
}

export const unsaved = {
  get: () => forms.size > 0,
  watch(watcher: () => void) {
    watchers.add(watcher);
    return () => void watchers.delete(watcher);
  },

  /** Until the function that it returns is called. */
  add() {
    const form = {};
    forms.add(form);
    tell();
    return () => {
      forms.delete(form);
      tell();
    };
  },

  /** It may go: nobody asks for it any more. The function that it returns takes that back. */
  drop() {
    const dropped = [...forms];
    forms.clear();
    tell();
    return () => {
      for (const form of dropped) forms.add(form);
      tell();
    };
  },
};
