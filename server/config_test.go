package server

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func load(t *testing.T, environ []string, arguments ...string) (Config, error) {
	t.Helper()
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	Flags(flags)
	require.NoError(t, flags.Parse(arguments))
	return LoadConfig(flags, environ)
}

func writeFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "scarp.yaml")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func TestConfigWithoutAnything(t *testing.T) {
	c, err := load(t, nil)
	require.NoError(t, err)
	assert.Equal(t, ":8080", c.Listen)
	assert.Equal(t, "data", c.DataDir)
	assert.Equal(t, "bbunet", c.DefaultModel)
	assert.Equal(t, []int{4326, 3857}, c.WMSCRS)
	assert.Empty(t, c.APIKeys)
	assert.Equal(t, 720*time.Hour, c.JobRetention)
}

func TestConfigPrecedence(t *testing.T) {
	path := writeFile(t, "title: from file\nlisten: :1\nblock-budget: 3\nallow: [/scenes, 's3://bucket/']\njob-retention: 48h\n")

	c, err := load(t, nil, "--config", path)
	require.NoError(t, err)
	assert.Equal(t, "from file", c.Title)
	assert.Equal(t, 3, c.BlockBudget)
	assert.Equal(t, []string{"/scenes", "s3://bucket/"}, c.Allow)
	assert.Equal(t, 48*time.Hour, c.JobRetention)

	environ := []string{"SCARP_TITLE=from environment", "SCARP_LISTEN=:2", "SCARP_WMS_CRS=4326,32648", "SCARP_TEST_DATA=/x"}
	c, err = load(t, append(environ, "SCARP_CONFIG="+path))
	require.NoError(t, err)
	assert.Equal(t, "from environment", c.Title)
	assert.Equal(t, []int{4326, 32648}, c.WMSCRS)
	assert.Equal(t, 3, c.BlockBudget, "what the environment does not name stays as the file has it")

	c, err = load(t, environ, "--config", path, "--listen", ":3")
	require.NoError(t, err)
	assert.Equal(t, ":3", c.Listen)
	assert.Equal(t, "from environment", c.Title)
}

func TestConfigDatabaseURL(t *testing.T) {
	c, err := load(t, []string{"DATABASE_URL=postgres://u@h/d"})
	require.NoError(t, err)
	assert.Equal(t, "postgres://u@h/d", c.DatabaseURL)

	_, err = load(t, []string{"DATABASE_URL=mysql://u:secret@h/d"})
	require.ErrorContains(t, err, "postgres://")
	assert.NotContains(t, err.Error(), "secret")
}

func TestConfigSaysEverythingThatIsWrong(t *testing.T) {
	_, err := load(t, []string{"SCARP_API_KEYS=short"}, "--block-budget", "0", "--log-format", "xml", "--public-url", "maps.example.org", "--trusted-proxies", "10.0.0.1")
	for _, reason := range []string{"block-budget", "log-format", "public-url", "api-keys", "trusted-proxies"} {
		assert.ErrorContains(t, err, reason)
	}
	assert.NotContains(t, err.Error(), "short:", "a key never stands in a message")
}

func TestConfigUnknownSettingInFile(t *testing.T) {
	_, err := load(t, nil, "--config", writeFile(t, "data_dir: /srv\n"))
	require.ErrorContains(t, err, `"data_dir"`)
	_, err = load(t, nil, "--config", "/no/such.yaml")
	require.ErrorContains(t, err, "/no/such.yaml")
}
