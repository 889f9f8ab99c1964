/** The time as metav1.MicroTime has it, in UTC: the API server takes exactly six digits of a second. */
export function microTime(time: Date): string {
  return time.toISOString().replace('Z', '000Z');
}
