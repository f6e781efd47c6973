package server

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"

	"github.com/scarp-map/scarp/inference"
)

// Config is every setting of the server. A setting has one name: the flag
// --data-dir is data-dir in the YAML file and SCARP_DATA_DIR in the environment.
// A flag wins over the environment, which wins over the file.
type Config struct {
	Listen          string        `koanf:"listen"`
	PublicURL       string        `koanf:"public-url"`
	TrustedProxies  []string      `koanf:"trusted-proxies"`
	Title           string        `koanf:"title"`
	DataDir         string        `koanf:"data-dir"`
	DatabaseURL     string        `koanf:"database-url"`
	CacheURL        string        `koanf:"cache-url"`
	CacheMemory     int64         `koanf:"cache-memory"`
	CacheDisk       int64         `koanf:"cache-disk"`
	ModelsDir       string        `koanf:"models-dir"`
	DefaultModel    string        `koanf:"default-model"`
	Clouds          string        `koanf:"clouds"`
	ModelMemory     int64         `koanf:"model-memory"`
	ONNXRuntime     string        `koanf:"onnxruntime"`
	Workers         int           `koanf:"inference-workers"`
	Threads         int           `koanf:"inference-threads"`
	BlockBudget     int           `koanf:"block-budget"`
	Allow           []string      `koanf:"allow"`
	GDALCache       int64         `koanf:"gdal-cache"`
	MaxImageSize    int           `koanf:"max-image-size"`
	WMSCRS          []int         `koanf:"wms-crs"`
	Styles          string        `koanf:"styles"`
	JobWorkers      int           `koanf:"job-workers"`
	JobQueue        int           `koanf:"job-queue"`
	JobRetention    time.Duration `koanf:"job-retention"`
	CallbackHosts   []string      `koanf:"callback-hosts"`
	CallbackNets    []string      `koanf:"callback-networks"`
	CallbackSecret  string        `koanf:"callback-secret"`
	APIKeys         []string      `koanf:"api-keys"`
	RateLimit       float64       `koanf:"rate-limit"`
	RateBurst       int           `koanf:"rate-burst"`
	MaxInFlight     int           `koanf:"max-in-flight"`
	CORSOrigins     []string      `koanf:"cors-origins"`
	SyncTimeout     time.Duration `koanf:"sync-timeout"`
	ShutdownTimeout time.Duration `koanf:"shutdown-timeout"`
	LogFormat       string        `koanf:"log-format"`
	LogLevel        string        `koanf:"log-level"`
	AccessLog       bool          `koanf:"access-log"`
}

// Flags defines a flag for every setting, with its default and meaning.
func Flags(f *pflag.FlagSet) {
	f.String("config", "", "YAML file with any of these settings (without the dashes)")

	f.String("listen", ":8080", "address and port to listen on")
	f.String("public-url", "", "URL that people reach the server at, with its path prefix; empty takes it from each request")
	f.StringSlice("trusted-proxies", []string{"127.0.0.0/8", "::1/128"}, "networks whose X-Forwarded-* and Forwarded headers are believed")
	f.String("title", "Scarp", "title of the landing page and of the services")

	f.String("data-dir", "data", "folder for the store, jobs, results and the cache")
	f.String("database-url", "", "postgres://… switches store and jobs from files in the data folder to PostGIS (also DATABASE_URL)")
	f.String("cache-url", "", "blob URL of a cache and of results that several servers share, such as s3://bucket?region=…; empty is a folder in the data folder")
	f.Int64("cache-memory", 256, "MiB of blocks and tiles to keep in memory")
	f.Int64("cache-disk", 10240, "MiB of blocks and tiles to keep in the cache folder; 0 is no bound")

	f.String("models-dir", "", "folder with more models, each a folder with manifest.yaml and an .onnx file")
	f.String("default-model", "bbunet", "model of events that name none")
	f.String("clouds", "auto", "what finds clouds: scl (scene classifications), network (the cloud network), auto (the network where there is no classification) or none")
	f.Int64("model-memory", 2048, "MiB that loaded models may take; the least recently used are unloaded")
	f.String("onnxruntime", "", "path of libonnxruntime.so; empty looks beside the program, in ./build/lib and where the system keeps libraries")
	f.Int("inference-workers", 0, "patches predicted at the same time; 0 chooses for this machine")
	f.Int("inference-threads", 0, "threads of each; 0 chooses for this machine")
	f.Int("block-budget", 16, "blocks that one map request may have computed; above it shows what is there already")

	f.StringSlice("allow", nil, "folders and URL prefixes that events may refer to, beside the data folder")
	f.Int64("gdal-cache", 256, "MiB of GDAL's block cache")
	f.Int("max-image-size", 4096, "largest width and height of a picture, in pixels")
	f.IntSlice("wms-crs", []int{4326, 3857}, "EPSG codes that maps can be asked for, beside CRS:84")

	f.String("styles", "", "YAML file with more styles of layers, in the form of tiles/styles.yaml; a layer's first becomes its default")

	f.Int("job-workers", 2, "mapping batches that this server works on at the same time")
	f.Int("job-queue", 100, "jobs that may wait; above it new ones are refused")
	f.Duration("job-retention", 30*24*time.Hour, "how long finished jobs and their results are kept")

	f.StringSlice("callback-hosts", nil, "hosts (with a port where it is not 80 or 443) that jobs may send callbacks to; none refuses callbacks")
	f.StringSlice("callback-networks", nil, "private networks that callback hosts may be in, such as 10.0.0.0/8")
	f.String("callback-secret", "", "secret that callbacks are signed with (header Scarp-Signature)")

	f.StringSlice("api-keys", nil, "keys that allow writing (header X-API-Key); none lets everybody on this server's own pages and programs write")
	f.Float64("rate-limit", 200, "requests a second that one client may make; 0 is no limit")
	f.Int("rate-burst", 1000, "requests that one client may make at once")
	f.Int("max-in-flight", 256, "requests worked on at the same time; 0 is no limit")
	f.StringSlice("cors-origins", []string{"*"}, "origins whose pages may read")
	f.Duration("sync-timeout", 10*time.Minute, "how long a synchronous process execution may take")
	f.Duration("shutdown-timeout", 20*time.Second, "how long to wait for requests and jobs when stopping")

	f.String("log-format", "text", "text or json")
	f.String("log-level", "info", "debug, info, warn or error")
	f.Bool("access-log", true, "log every request")
}

// LoadConfig merges defaults, the YAML file that --config names, the
// environment (pairs of NAME=value) and flags, and checks the result. The error
// lists everything that is wrong.
func LoadConfig(flags *pflag.FlagSet, environ []string) (Config, error) {
	k := koanf.New("::")
	environment := env.Provider("::", env.Opt{
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(name, value string) (string, any) {
			if name == "DATABASE_URL" {
				return "database-url", value
			}
			key, ours := strings.CutPrefix(name, "SCARP_")
			key = strings.ReplaceAll(strings.ToLower(key), "_", "-")
			if !ours || flags.Lookup(key) == nil {
				return "", nil
			}
			return key, value
		},
	})

	fromEnvironment := koanf.New("::")
	if err := fromEnvironment.Load(environment, nil); err != nil {
		return Config{}, fmt.Errorf("read settings from the environment: %w", err)
	}
	path, _ := flags.GetString("config")
	if path == "" {
		path = fromEnvironment.String("config")
	}
	if path != "" {
		if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
			return Config{}, fmt.Errorf("read settings from %s: %w", path, err)
		}
		for _, key := range k.Keys() {
			if flags.Lookup(key) == nil {
				return Config{}, fmt.Errorf("read settings from %s: there is no setting %q; `scarp serve --help` lists them", path, key)
			}
		}
	}
	if err := k.Merge(fromEnvironment); err != nil {
		return Config{}, fmt.Errorf("read settings from the environment: %w", err)
	}
	if err := k.Load(posflag.Provider(flags, "::", k), nil); err != nil {
		return Config{}, fmt.Errorf("read settings from flags: %w", err)
	}
	k.Delete("config")

	var c Config
	err := k.UnmarshalWithConf("", &c, koanf.UnmarshalConf{DecoderConfig: &mapstructure.DecoderConfig{
		Result:           &c,
		WeaklyTypedInput: true,
		TagName:          "koanf",
		DecodeHook: mapstructure.ComposeDecodeHookFunc(
			mapstructure.StringToTimeDurationHookFunc(),
			mapstructure.StringToWeakSliceHookFunc(","),
		),
	}})
	if err != nil {
		return Config{}, fmt.Errorf("read settings: %w", err)
	}
	return c, c.check()
}

func (c Config) check() error {
	var problems []error
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }

	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			bad("public-url %q: want an absolute URL such as https://maps.example.org/scarp", c.PublicURL)
		}
	}
	for _, p := range c.TrustedProxies {
		if _, err := netip.ParsePrefix(p); err != nil {
			bad("trusted-proxies: %q: want networks such as 10.0.0.0/8", p)
		}
	}
	for _, p := range c.CallbackNets {
		if _, err := netip.ParsePrefix(p); err != nil {
			bad("callback-networks: %q: want networks such as 10.0.0.0/8", p)
		}
	}
	if c.DatabaseURL != "" && !strings.HasPrefix(c.DatabaseURL, "postgres://") && !strings.HasPrefix(c.DatabaseURL, "postgresql://") {
		bad("database-url: want postgres://user@host/database") // the value may hold a password
	}
	if c.CacheURL != "" && !strings.Contains(c.CacheURL, "://") {
		bad("cache-url: want a URL such as s3://bucket?region=eu-central-1 or file:///var/cache/scarp")
	}
	for _, n := range []struct {
		name  string
		value int64
		least int64
	}{
		{"cache-memory", c.CacheMemory, 1}, {"cache-disk", c.CacheDisk, 0}, {"model-memory", c.ModelMemory, 64},
		{"gdal-cache", c.GDALCache, 16}, {"inference-workers", int64(c.Workers), 0}, {"inference-threads", int64(c.Threads), 0},
		{"block-budget", int64(c.BlockBudget), 1}, {"max-image-size", int64(c.MaxImageSize), 256}, {"job-workers", int64(c.JobWorkers), 0},
		{"job-queue", int64(c.JobQueue), 1}, {"rate-burst", int64(c.RateBurst), 1}, {"max-in-flight", int64(c.MaxInFlight), 0},
	} {
		if n.value < n.least {
			bad("%s is %d: want at least %d", n.name, n.value, n.least)
		}
	}
	if !slices.Contains(inference.CloudModes(), c.Clouds) {
		bad("clouds %q: want one of %s", c.Clouds, strings.Join(inference.CloudModes(), ", "))
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		bad("log-format %q: want text or json", c.LogFormat)
	}
	for _, key := range c.APIKeys {
		if len(key) < 16 {
			bad("api-keys: a key has %d characters: want at least 16", len(key))
		}
	}
	return errors.Join(problems...)
}

// path returns a path in the data folder.
func (c Config) path(elements ...string) string {
	return filepath.Join(append([]string{c.DataDir}, elements...)...)
}
