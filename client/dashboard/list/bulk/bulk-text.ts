/** The words of what is done with many jobs. */
export const bulkText = {
  label: 'Selected jobs',
  selected: (number: string) => `Selected: ${number}`,
  all: 'Select all',
  cancel: (number: string) => `Cancel ${number}`,
  delete: (number: string) => `Delete ${number}`,
  done: 'Done',
  hint: 'Jobs that have not ended can be cancelled; those that have ended can be deleted.',
  willCancel: (number: string) => `Jobs to be cancelled: ${number}`,
  willDelete: (number: string) => `Jobs deleted: ${number}`,
  undo: 'Undo',
  undone: 'Nothing was changed.',
  refused: (number: string) => `Jobs left as they were: ${number}`,
}
