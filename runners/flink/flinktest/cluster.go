// Package flinktest starts a Flink cluster of several processes on the loopback, with
// Beam's job service before it, for tests.
package flinktest

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Cluster is a job manager, task managers with a slot each, and a job service.
type Cluster struct {
	Dashboard string // host:port of the job manager's REST interface
	Endpoint  string // host:port of the job service

	t       testing.TB
	home    string // with flink/lib and jobserver.jar
	folder  string // for configuration, logs and what the processes write
	started int
	running []*exec.Cmd
}

// Start starts a cluster. It is skipped unless PENSTOCK_FLINK names the folder that
// "make flink" fills. Everything stops with the test.
func Start(t testing.TB, taskManagers int) *Cluster {
	t.Helper()
	home := os.Getenv("PENSTOCK_FLINK")
	if home == "" {
		t.Skip("needs a Flink cluster: make flink-test")
	}
	c := &Cluster{t: t, home: home, folder: t.TempDir()}
	rest, rpc, blob, jobs, artifacts := freePort(t), freePort(t), freePort(t), freePort(t), freePort(t)
	c.Dashboard, c.Endpoint = address(rest), address(jobs)
	c.configure(rest, rpc, blob)
	c.start("jobmanager", "-Xmx384m", "-cp", c.libraries(), "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint", "--configDir", c.folder)
	c.wait("the job manager", func() bool { return c.overview() != nil })
	for range taskManagers {
		c.AddTaskManager()
	}
	c.start("jobservice", "-Xmx512m", "-jar", filepath.Join(c.home, "jobserver.jar"), "--flink-master="+c.Dashboard, "--job-host=127.0.0.1",
		"--job-port="+fmt.Sprint(jobs), "--artifact-port="+fmt.Sprint(artifacts), "--expansion-port=0", "--artifacts-dir="+filepath.Join(c.folder, "artifacts"), "--flink-conf-dir="+c.folder)
	c.wait("the job service", func() bool { return answers(c.Endpoint) })
	c.WaitSlots(taskManagers)
	return c
}

// AddTaskManager starts another task manager.
func (c *Cluster) AddTaskManager() *exec.Cmd {
	c.t.Helper()
	return c.start("taskmanager", "-Xmx384m", "-XX:MaxDirectMemorySize=256m", "-XX:MaxMetaspaceSize=640m", "-cp", c.libraries(),
		"org.apache.flink.runtime.taskexecutor.TaskManagerRunner", "--configDir", c.folder, "-D", fmt.Sprintf("taskmanager.resource-id=tm%d", c.started))
}

// WaitSlots waits until so many slots are free.
func (c *Cluster) WaitSlots(n int) {
	c.t.Helper()
	c.wait(fmt.Sprintf("%d free slots", n), func() bool { return c.FreeSlots() == n })
}

// FreeSlots is the number of slots that no job has.
func (c *Cluster) FreeSlots() int {
	free, _ := c.overview()["slots-available"].(float64)
	return int(free)
}

func (c *Cluster) configure(rest, rpc, blob int) {
	c.t.Helper()
	lines := []string{
		"jobmanager.rpc.address: 127.0.0.1", "jobmanager.bind-host: 127.0.0.1", fmt.Sprintf("jobmanager.rpc.port: %d", rpc),
		"taskmanager.host: 127.0.0.1", "taskmanager.bind-host: 127.0.0.1",
		"rest.address: 127.0.0.1", "rest.bind-address: 127.0.0.1", fmt.Sprintf("rest.port: %d", rest), fmt.Sprintf("blob.server.port: %d", blob),
		"jobmanager.memory.process.size: 900m", "taskmanager.numberOfTaskSlots: 1", "taskmanager.cpu.cores: 1.0",
		"heartbeat.interval: 1000", "heartbeat.timeout: 5000", "slot.request.timeout: 60000",
		"restart-strategy.type: fixed-delay", "restart-strategy.fixed-delay.attempts: 10", "restart-strategy.fixed-delay.delay: 1 s",
		"taskmanager.memory.framework.heap.size: 128m", "taskmanager.memory.framework.off-heap.size: 128m",
		"taskmanager.memory.task.heap.size: 256m", "taskmanager.memory.task.off-heap.size: 0m", "taskmanager.memory.managed.size: 128m",
		"taskmanager.memory.network.min: 96m", "taskmanager.memory.network.max: 96m", "taskmanager.network.sort-shuffle.min-buffers: 64", "taskmanager.memory.jvm-metaspace.size: 640m",
		"taskmanager.memory.jvm-overhead.min: 192m", "taskmanager.memory.jvm-overhead.max: 192m",
		"io.tmp.dirs: " + filepath.Join(c.folder, "tmp"),
	}
	text := []byte(strings.Join(lines, "\n") + "\n")
	c.write("config.yaml", text)     // read by Flink
	c.write("flink-conf.yaml", text) // read by the job service
	c.write("log4j.properties", []byte("rootLogger.level = WARN\nrootLogger.appenderRef.out.ref = out\nappender.out.name = out\nappender.out.type = CONSOLE\nappender.out.layout.type = PatternLayout\nappender.out.layout.pattern = %d %p %c{1} %m%n\n"))
	if err := os.MkdirAll(filepath.Join(c.folder, "tmp"), 0o755); err != nil {
		c.t.Fatal(err)
	}
}

func (c *Cluster) write(name string, text []byte) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.folder, name), text, 0o644); err != nil {
		c.t.Fatal(err)
	}
}

func (c *Cluster) libraries() string { return filepath.Join(c.home, "flink", "lib", "*") }

// start starts a Java process whose output goes to a file of its own.
func (c *Cluster) start(name string, args ...string) *exec.Cmd {
	c.t.Helper()
	c.started++
	log, err := os.Create(filepath.Join(c.folder, fmt.Sprintf("%s-%d.log", name, c.started)))
	if err != nil {
		c.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("java", append(javaOptions(c.folder), args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "FLINK_CONF_DIR="+c.folder, "FLINK_LIB_DIR="+filepath.Join(c.home, "flink", "lib"), "FLINK_PLUGINS_DIR="+filepath.Join(c.home, "flink", "plugins"))
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.running = append(c.running, cmd)
	c.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if c.t.Failed() {
			b, _ := os.ReadFile(log.Name())
			c.t.Logf("%s:\n%s", filepath.Base(log.Name()), b[max(0, len(b)-4000):])
		}
	})
	return cmd
}

// javaOptions open what Flink reaches into on Java 17.
func javaOptions(folder string) []string {
	options := []string{"-XX:+UseSerialGC", "-Dlog4j.configurationFile=" + filepath.Join(folder, "log4j.properties"), "--add-exports=java.base/sun.net.util=ALL-UNNAMED"}
	for _, name := range []string{"java.lang", "java.lang.reflect", "java.net", "java.io", "java.nio", "sun.nio.ch", "java.text", "java.time", "java.util", "java.util.concurrent", "java.util.concurrent.atomic", "java.util.concurrent.locks"} {
		options = append(options, "--add-opens=java.base/"+name+"=ALL-UNNAMED")
	}
	return options
}

// startTimeout is how long a part of the cluster may take to be there.
const startTimeout = 3 * time.Minute

func (c *Cluster) wait(what string, there func() bool) {
	c.t.Helper()
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if there() {
			return
		}
	}
	c.t.Fatalf("%s: not there within %v", what, startTimeout)
}

// overview is what the cluster says of itself, nil if it does not answer.
func (c *Cluster) overview() (o map[string]any) {
	response, err := http.Get("http://" + c.Dashboard + "/overview")
	if err != nil {
		return nil
	}
	defer response.Body.Close()
	if json.NewDecoder(response.Body).Decode(&o) != nil {
		return nil
	}
	return o
}

func answers(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
