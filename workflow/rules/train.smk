rule resolve:
    output:
        config=f"{TESTED}/config.yaml",
    log:
        "logs/resolve/{dataset}/{model}/{save_name}{on}.log",
    benchmark:
        "logs/resolve/{dataset}/{model}/{save_name}{on}.benchmark.tsv"
    conda:
        "../envs/gait.yaml"
    threads: state.threads("report")
    resources:
        **state.resources("report"),
    params:
        **get_settings("all"),
    shell:
        "gait config {wildcards.dataset:q}/{wildcards.model:q}/{wildcards.save_name:q}{wildcards.on:q}"
        " --output {output.config:q} > {log:q} 2>&1"


# Checkpoints, history and summaries lie beside model.pt, undeclared: they survive a failed or
# preempted attempt, and the next one resumes.
rule train:
    input:
        index=f"{DATA}/{{dataset}}/packed/index.csv",
        others=get_other_indices,
        weights=get_weights,
    output:
        model=f"{RESULT}/model.pt",
    log:
        "logs/train/{dataset}/{model}/{save_name}.log",
    benchmark:
        "logs/train/{dataset}/{model}/{save_name}.benchmark.tsv"
    conda:
        "../envs/gait.yaml"
    threads: state.threads("train")
    resources:
        **state.resources("train"),
    params:
        **get_settings("training"),
        # Functions of `threads` are no reason to train again: world size changes speed only.
        nodes=lambda wildcards, threads: state.nodes("train"),
        processes=lambda wildcards, threads: state.processes("train"),
        workers=lambda wildcards, threads: state.loader_workers("train"),
    shell:
        "exec logged.sh {log:q} launch.sh {params.nodes:q} {params.processes:q} {threads:q}"
        " train {wildcards.dataset:q}/{wildcards.model:q}/{wildcards.save_name:q}"
        ' --packed "$(dirname -- {input.index:q})" --model {output.model:q}'
        " --workers {params.workers:q}"
