/** The words of what the page of a job loads after its first paint. */
export const moreText = {
  cancelTitle: 'Cancel this job?',
  cancelLive: 'Its worker is asked to stop. What it has done so far stays, and the job cannot be resumed.',
  cancelPending: 'It has not started, and then never will.',
  letRun: 'Let it run',
  cancelIt: 'Cancel the job',
  timeline: 'Timeline',
  save: { log: 'Save as NDJSON', items: 'Save as CSV' },
  notify: 'Notify me',
  notifyOn: 'You are notified when the job ends, while this page is open.',
  notifyOff: 'You are not notified.',
  notifyDenied: 'The browser does not allow notifications of this site.',
}
