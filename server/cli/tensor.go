package cli

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scarp-map/scarp/inference"
)

func modelTensorCommand() *cobra.Command {
	var event, out string
	var window []int
	cmd := &cobra.Command{
		Use:   "tensor NAME --event EVENT.yaml --window X,Y,SIZE -o OUT.npz",
		Short: "Write what a model gets to see of an event",
		Long: `Tensor writes the inputs of one patch as NumPy arrays (float32, channels × size × size, by the names of the network's
inputs), exactly as the network gets them: to compare with the code that a network was trained with.`,
		Example: "  scarp model tensor bbunet --event data/demo/event.yaml --window 128,128,320 -o inputs.npz",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if event == "" || out == "" || len(window) != 3 {
				return errors.New("model tensor: --event, --window X,Y,SIZE and -o are needed")
			}
			config, err := settings(cmd)
			if err != nil {
				return err
			}
			models, err := loadModels(cmd)
			if err != nil {
				return err
			}
			m, err := findModel(models, args[0])
			if err != nil {
				return err
			}
			src, err := (&mapFlags{event: event}).open(cmd.Context(), config)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, src.Close()) }()
			tensors, err := m.Tensors(cmd.Context(), src, window[0], window[1], window[2])
			if err != nil {
				return err
			}
			return writeTo(out, func(w io.Writer) error { return writeNPZ(w, tensors) })
		},
	}
	cmd.Flags().StringVar(&event, "event", "", "event file")
	cmd.Flags().IntSliceVar(&window, "window", nil, "column and row of the patch's upper left on the event's grid, and its side")
	cmd.Flags().StringVarP(&out, "output", "o", "", "file to write")
	return cmd
}

// writeNPZ writes arrays in NumPy's format: a zip of .npy files of version 1.0.
func writeNPZ(out io.Writer, tensors []inference.Tensor) error {
	z := zip.NewWriter(out)
	for _, t := range tensors {
		w, err := z.CreateHeader(&zip.FileHeader{Name: t.Name + ".npy", Method: zip.Store})
		if err != nil {
			return err
		}
		header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d, %d), }", t.Channels, t.Size, t.Size)
		// Magic, version, length and header together fill a multiple of 64 bytes; a newline ends them.
		header += strings.Repeat(" ", 63-(10+len(header))%64) + "\n"
		if _, err := io.WriteString(w, "\x93NUMPY\x01\x00"+string([]byte{byte(len(header)), byte(len(header) >> 8)})+header); err != nil {
			return err
		}
		if err := binary.Write(w, binary.LittleEndian, t.Values); err != nil {
			return err
		}
	}
	return z.Close()
}
