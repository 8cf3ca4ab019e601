/**
 * Ends this process, as SIGTERM does, when the npm that started it has ended. npm runs scripts, and npx commands, through a shell and does not pass
 * on every signal: `kill <pid of npm>` would leave a broker behind.
 */
export function endWithNpm() {
  const shell = process.ppid;
  const look = () => {
    if (process.ppid !== shell) process.kill(process.pid, 'SIGTERM');
  };
  setInterval(look, 250).unref();
}
