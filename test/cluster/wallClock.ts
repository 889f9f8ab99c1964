/**
 * A wall clock that is wrong, for one program: the monotonic clock stays as it is, as on a machine whose time nobody
 * keeps.
 */

/**
 * For the environment of a program that is linked with the C library; needs Debian's libfaketime, without which the
 * clock is right.
 */
export function wallClockOff(seconds: number): Readonly<Record<string, string>> {
  // The loader puts the machine's library directory in for $LIB.
  return {
    LD_PRELOAD: '/usr/$LIB/faketime/libfaketime.so.1',
    FAKETIME: `${seconds >= 0 ? '+' : ''}${seconds}`,
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
}
